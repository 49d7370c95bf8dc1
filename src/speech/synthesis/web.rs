//! A service with OpenAI's contract, `POST /v1/audio/speech`. Texts leave this machine then.

use reqwest::header::AUTHORIZATION;
use serde_json::json;

use super::settings::Settings;
use super::{LARGEST, Order, SynthesisError};
use crate::speech::service::{self, Service};

/// The service.
#[derive(Debug)]
pub(super) struct Web {
    service: Service,
    model: String,
    places: tokio::sync::Semaphore,
}

impl Web {
    pub(super) fn new(settings: &Settings) -> Self {
        let url = settings.url.as_deref().unwrap_or_default();
        let service = Service::new(url, settings.key_file.clone(), settings.longest_job);
        let places = tokio::sync::Semaphore::new(settings.workers.max(1));
        Self { service, model: settings.model.clone(), places }
    }

    /// The sound file it answers with.
    pub(super) async fn speak(&self, order: &Order) -> Result<Vec<u8>, SynthesisError> {
        let _place = self.places.acquire().await;
        let key = self.service.key()?.map(|it| service::secret_header(&format!("Bearer {it}")));
        let key = key.transpose()?;
        let asked = json!({
            "model": self.model,
            "input": order.text,
            "voice": order.voice,
            "response_format": "wav",
        });
        let dress = |request: reqwest::RequestBuilder| match key {
            Some(key) => request.header(AUTHORIZATION, key),
            None => request,
        };
        let (path, kind) = ("/v1/audio/speech", "application/json");
        let body = asked.to_string().into_bytes();
        Ok(self.service.fetch(path, kind, body, LARGEST, dress).await?)
    }
}
