//! Signatures by HMAC-SHA256, as Standard Webhooks has them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use relstore_model::{Error, Result};
use ring::hmac;

/// The key of a secret.
pub(super) struct Key(hmac::Key);

impl Key {
    /// `whsec_` and base64, or the bytes of any other text.
    pub(super) fn new(secret: &str) -> Result<Self> {
        let bytes = match secret.strip_prefix("whsec_") {
            Some(text) => {
                STANDARD.decode(text).map_err(|e| Error::invalid("a secret that begins with whsec_ goes on in base64").with_source(e))?
            }
            None => secret.as_bytes().to_vec(),
        };
        if bytes.is_empty() {
            return Err(Error::invalid("an empty secret signs nothing"));
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The header: `v1,` and the signature of `id.seconds.body` in base64.
    pub(super) fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{id}.{seconds}.").as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}
