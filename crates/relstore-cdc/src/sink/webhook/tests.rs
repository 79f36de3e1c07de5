//! The parts that need no server.

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};

use super::answer::retry_after;
use super::signature::Key;

#[test]
fn a_signature_is_that_of_standard_webhooks() {
    // The example of the specification's reference libraries.
    let key = Key::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
    assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    assert!(Key::new("").is_err() && Key::new("whsec_%").is_err());
}

#[test]
fn retry_after_is_seconds_or_a_date_by_the_receivers_clock() {
    let of = |retry: &'static str, date: Option<&'static str>| {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static(retry));
        date.map(|date| headers.insert(DATE, HeaderValue::from_static(date)));
        retry_after(&headers)
    };
    assert_eq!(of("120", None), Some(Duration::from_secs(120)));
    let (noon, later) = ("Wed, 21 Oct 2015 12:00:00 GMT", "Wed, 21 Oct 2015 12:00:07 GMT");
    assert_eq!(of(later, Some(noon)), Some(Duration::from_secs(7)));
    assert_eq!(of(noon, Some(later)), Some(Duration::ZERO));
    assert_eq!((of(later, None), of("soon", None)), (None, None));
}
