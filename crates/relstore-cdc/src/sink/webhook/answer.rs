//! What a receiver's answer means: done, try again, or never.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use relstore_model::{Error, Result};
use reqwest::Response;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// How much of a refusal's body is told.
const SAID_BYTES: usize = 300;

/// What it means, and how long the receiver asks to be left alone.
pub(super) async fn of(sent: Result<Response, reqwest::Error>) -> (Result<()>, Option<Duration>) {
    let mut response = match sent {
        Ok(response) => response,
        Err(e) => return (Err(unreachable(e)), None),
    };
    let status = response.status();
    let retry_after = retry_after(response.headers());
    let said = beginning(&mut response).await;
    if status.is_success() {
        return (Ok(()), None);
    }
    let error = match status.as_u16() {
        408 | 425 | 429 | 500.. => Error::unavailable("the receiver could not take the events"),
        404 | 410 => Error::not_found("the receiver is gone").with_hint("give it another URL, or drop its cursor"),
        300..=399 => {
            Error::invalid("the receiver redirects, which is not followed").with_hint("give it the URL where the events are to go")
        }
        _ => Error::invalid("the receiver refused the events").with_hint("mend what it says and unpark the sink"),
    };
    let error = error.with("status", status);
    (Err(if said.is_empty() { error } else { error.with("answer", said) }), retry_after)
}

/// No answer: refused, reset, too slow, or no such host.
fn unreachable(e: reqwest::Error) -> Error {
    let what = if e.is_timeout() { "the receiver did not answer in time" } else { "the receiver cannot be reached" };
    let e = e.without_url();
    let mut cause: &dyn std::error::Error = &e;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let cause = cause.to_string();
    Error::unavailable(what).with("cause", cause).with_source(e)
}

/// The body's beginning. The rest is not waited for.
async fn beginning(response: &mut Response) -> String {
    let mut said = Vec::new();
    while said.len() < SAID_BYTES {
        match response.chunk().await {
            Ok(Some(chunk)) => said.extend_from_slice(&chunk),
            // Whether the body came whole changes nothing: the status says it all.
            Ok(None) | Err(_) => break,
        }
    }
    said.truncate(SAID_BYTES);
    String::from_utf8_lossy(&said).trim().to_owned()
}

/// `Retry-After`, in seconds or as a date; a date is reckoned from the receiver's own clock.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let parser = DateTimeParser::new().relaxed_weekday(true);
    let (until, now) = (parser.parse_timestamp(text).ok()?, parser.parse_timestamp(headers.get(DATE)?.to_str().ok()?).ok()?);
    Some(Duration::from_secs(u64::try_from(until.as_second() - now.as_second()).unwrap_or(0)))
}
