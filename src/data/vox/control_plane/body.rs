//! Bodies of answers, bounded as they come in.

use reqwest::Response;

/// Why a body was not read whole.
#[derive(Debug, PartialEq, Eq)]
pub enum BodyError {
    /// It is larger than allowed.
    TooLarge,
    /// It broke off; why.
    Broken(String),
}

/// A body of at most `max` bytes.
pub async fn whole(mut response: Response, max: u64) -> Result<Vec<u8>, BodyError> {
    if response.content_length().is_some_and(|n| n > max) {
        return Err(BodyError::TooLarge);
    }
    let mut all = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| BodyError::Broken(super::client::cause(&e)))? {
        if (all.len() + chunk.len()) as u64 > max {
            return Err(BodyError::TooLarge);
        }
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

/// The first bytes of a body as text; what is no text is shown as such. For reasons, which may be cut.
pub async fn head(mut response: Response, max: u64) -> String {
    let mut all = Vec::new();
    while (all.len() as u64) < max
        && let Ok(Some(chunk)) = response.chunk().await
    {
        all.extend_from_slice(&chunk);
    }
    all.truncate(usize::try_from(max).unwrap_or(usize::MAX));
    String::from_utf8_lossy(&all).into_owned()
}
