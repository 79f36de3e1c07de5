//! Events by HTTP: one POST a commit, in order, each tried until the receiver has it or refuses it for good.
//!
//! A commit that is tried again carries the same `webhook-id`, which no other commit of any store has, so a receiver makes repetition
//! harmless by keeping the ids that it has seen. (The transaction's id may be the caller's, and then two stores may have it.) Signatures are those of Standard Webhooks (<https://www.standardwebhooks.com>), for which libraries exist in
//! most languages. Redirects are not followed: a POST that is redirected is not a POST any more.

mod answer;
mod signature;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use relstore_model::event::Selection;
use relstore_model::{Clock, Commit, Error, Lsn, Namespace, Result, TxId, UnifiedEvent};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Url};

use super::Sink;
use crate::ChangeBatch;
use signature::Key;

/// The form of the body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// A JSON array of the commit's events (`application/json`).
    #[default]
    JsonArray,
    /// One event a line (`application/x-ndjson`).
    Ndjson,
}

/// Where events are posted, and how.
#[derive(Clone)]
pub struct Webhook {
    url: String,
    body: Body,
    secret: Option<String>,
    headers: Vec<(String, String)>,
    timeout: Duration,
    selection: Selection,
}

impl Webhook {
    /// Posts to `url`, `http` or `https`, and waits 30 seconds for an answer.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            body: Body::default(),
            secret: None,
            headers: Vec::new(),
            timeout: Duration::from_secs(30),
            selection: Selection::default(),
        }
    }

    /// The form of the body.
    #[must_use]
    pub fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// Signs each request by HMAC-SHA256 with this secret: `whsec_` and base64, or the bytes of any other text.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.secret = Some(secret.into());
        self
    }

    /// Adds a header to each request.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// How long an answer is waited for.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Which changes are posted, and how much of each. A commit of which nothing is chosen is not posted.
    #[must_use]
    pub fn selection(mut self, selection: Selection) -> Self {
        self.selection = selection;
        self
    }
}

/// Posts the commits of one store.
pub struct WebhookSink {
    name: String,
    ns: Namespace,
    url: Url,
    body: Body,
    key: Option<Key>,
    selection: Selection,
    client: Client,
    clock: Arc<dyn Clock>,
    /// What the receiver has of the batch in hand, so that a retry does not begin it again.
    done: Lsn,
    retry_after: Option<Duration>,
}

impl WebhookSink {
    /// How much of the log is passed over at a time where most commits are not posted.
    const BATCH_BYTES: usize = 64 << 10;

    /// Posts the commits of the store `ns`. `name` is the name of the cursor; `clock` gives the time of the signature.
    ///
    /// # Errors
    /// `Invalid` if the URL, a header or the secret is none.
    pub fn new(name: impl Into<String>, ns: Namespace, webhook: Webhook, clock: Arc<dyn Clock>) -> Result<Self> {
        let url = Url::parse(&webhook.url).map_err(|e| Error::invalid("not a URL").with("url", &webhook.url).with_source(e))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Error::invalid("a webhook's URL begins with http:// or https://").with("url", &webhook.url));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &webhook.headers {
            let invalid = || Error::invalid("not a header").with("header", name);
            let header = HeaderName::try_from(name).map_err(|_| invalid())?;
            headers.insert(header, HeaderValue::try_from(value).map_err(|_| invalid())?);
        }
        let client = Client::builder()
            .user_agent(concat!("relstore/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .timeout(webhook.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|e| Error::unavailable("an HTTP client cannot be made").with_source(e))?;
        let key = webhook.secret.as_deref().map(Key::new).transpose()?;
        let (body, selection) = (webhook.body, webhook.selection);
        Ok(Self { name: name.into(), ns, url, body, key, selection, client, clock, done: Lsn::ZERO, retry_after: None })
    }

    async fn post(&mut self, commit: &Commit, events: &[UnifiedEvent], retries: u32) -> Result<u64> {
        let Some(txid) = events.first().map(|e| e.txid.clone()) else { return Ok(0) };
        let id = TxId::derive(&self.ns, commit.timestamp, commit.lsn_first).to_string();
        let (content_type, body) = self.render(events)?;
        let seconds = self.clock.now().micros().div_euclid(1_000_000);
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, content_type)
            .header("webhook-id", &id)
            .header("webhook-timestamp", seconds.to_string())
            .header("idempotency-key", &id)
            .header("relstore-ns", self.ns.to_path())
            .header("relstore-txid", &txid)
            .header("relstore-lsn-first", commit.lsn_first.to_string())
            .header("relstore-lsn", commit.lsn_last().to_string())
            .header("relstore-retries", retries.to_string());
        if let Some(key) = &self.key {
            request = request.header("webhook-signature", key.sign(&id, seconds, &body));
        }
        let size = body.len() as u64;
        let (result, retry_after) = answer::of(request.body(body).send().await).await;
        self.retry_after = retry_after;
        result.map_err(|e| e.with("url", self.place()).with("lsn", commit.lsn_last()).with("txid", &txid))?;
        Ok(size)
    }

    fn render(&self, events: &[UnifiedEvent]) -> Result<(&'static str, Vec<u8>)> {
        let failed = |e| Error::internal("an event cannot be written").with_source(e);
        if self.body == Body::JsonArray {
            return Ok(("application/json", serde_json::to_vec(events).map_err(failed)?));
        }
        let mut body = Vec::new();
        for event in events {
            serde_json::to_writer(&mut body, event).map_err(failed)?;
            body.push(b'\n');
        }
        Ok(("application/x-ndjson", body))
    }

    /// The URL without what may be secret in it.
    fn place(&self) -> String {
        let port = self.url.port().map(|p| format!(":{p}")).unwrap_or_default();
        format!("{}://{}{port}{}", self.url.scheme(), self.url.host_str().unwrap_or_default(), self.url.path())
    }
}

#[async_trait]
impl Sink for WebhookSink {
    fn name(&self) -> &str {
        &self.name
    }

    /// A commit at a time, so that a crash repeats one; more where most of them are passed over.
    fn batch_bytes(&self) -> usize {
        if self.selection.is_all() { 0 } else { Self::BATCH_BYTES }
    }

    async fn deliver(&mut self, batch: &ChangeBatch) -> Result<u64> {
        self.retry_after = None;
        let mut bytes = 0;
        for (commit, events) in batch.commits.iter().zip(batch.events(&self.selection)?) {
            if commit.lsn_last() > self.done {
                bytes += self.post(commit, &events, batch.retries).await?;
                self.done = commit.lsn_last();
            }
        }
        Ok(bytes)
    }

    fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}
