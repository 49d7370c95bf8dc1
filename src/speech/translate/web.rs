//! LibreTranslate and DeepL, over HTTP.

use reqwest::header::AUTHORIZATION;
use serde::Deserialize;
use serde_json::json;

use super::settings::{Engine, Settings};
use super::{TranslateError, base};
use crate::speech::service::{self, Service, ServiceError};

/// One of the services.
#[derive(Debug)]
pub(super) struct Web {
    kind: Kind,
    service: Service,
    /// Requests at a time are those of the jobs, whose number is a setting.
    named: &'static str,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    LibreTranslate,
    DeepL,
}

/// Keys of DeepL's free plan end so, and belong to another host.
const FREE: &str = ":fx";

#[derive(Deserialize)]
struct Libre {
    #[serde(rename = "translatedText")]
    text: String,
}

#[derive(Deserialize)]
struct Deep {
    translations: Vec<DeepText>,
}

#[derive(Deserialize)]
struct DeepText {
    text: String,
}

impl Web {
    pub(super) fn new(settings: &Settings) -> Self {
        let (kind, named) = match settings.engine {
            Engine::DeepL => (Kind::DeepL, "deepl"),
            _ => (Kind::LibreTranslate, "libretranslate"),
        };
        let url = settings.url.clone().unwrap_or_else(|| usual(settings));
        let service = Service::new(&url, settings.key_file.clone(), settings.longest_job);
        Self { kind, service, named }
    }

    /// The text in the other language, and by what.
    pub(super) async fn translate(
        &self,
        text: &str,
        from: &str,
        to: &str,
    ) -> Result<(String, String), TranslateError> {
        let answer = match self.kind {
            Kind::LibreTranslate => self.ask_libre(text, from, &base(to)).await?,
            Kind::DeepL => self.ask_deepl(text, from, to).await?,
        };
        Ok((answer, self.named.to_owned()))
    }

    async fn ask_libre(&self, text: &str, from: &str, to: &str) -> Result<String, ServiceError> {
        let mut asked = json!({ "q": text, "source": from, "target": to, "format": "text" });
        if let Some(key) = self.service.key()? {
            asked["api_key"] = key.into();
        }
        let body = asked.to_string().into_bytes();
        let answer: Libre = self.service.post("/translate", JSON, body, |it| it).await?;
        Ok(answer.text)
    }

    async fn ask_deepl(&self, text: &str, from: &str, to: &str) -> Result<String, ServiceError> {
        let key = self.service.key()?.unwrap_or_default();
        let key = service::secret_header(&format!("DeepL-Auth-Key {key}"))?;
        let (from, to) = (from.to_ascii_uppercase(), to.replace('_', "-").to_ascii_uppercase());
        let asked = json!({ "text": [text], "source_lang": from, "target_lang": to });
        let body = asked.to_string().into_bytes();
        let dress = |request: reqwest::RequestBuilder| request.header(AUTHORIZATION, key);
        let answer: Deep = self.service.post("/v2/translate", JSON, body, dress).await?;
        let [DeepText { text }] =
            <[DeepText; 1]>::try_from(answer.translations).map_err(|_| ServiceError::Junk)?;
        Ok(text)
    }
}

const JSON: &str = "application/json";

/// Where DeepL is for this key.
fn usual(settings: &Settings) -> String {
    let key = Service::new("", settings.key_file.clone(), settings.longest_job).key();
    let free = key.ok().flatten().is_some_and(|it| it.ends_with(FREE));
    let host = if free { "api-free.deepl.com" } else { "api.deepl.com" };
    format!("https://{host}")
}
