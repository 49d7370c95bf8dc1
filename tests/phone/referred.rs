//! A phone that is asked to call somebody else (RFC 3515), and tells how that goes.

use std::io;

use super::{Call, header, ok_to, status};

impl Call {
    /// Waits until the server asks for it and answers with `answer`, such as `202 Accepted`; whom to call.
    pub async fn referred(&mut self, answer: &str) -> io::Result<String> {
        loop {
            let text = self.message().await?;
            if text.starts_with("REFER ") {
                let reply = ok_to(&text).replacen("200 OK", answer, 1);
                self.sip.send_to(reply.as_bytes(), self.server).await?;
                return Ok(header(&text, "Refer-To").unwrap_or_default().to_owned());
            }
            if text.starts_with("BYE ") {
                return Err(io::Error::other("the server hung up instead"));
            }
        }
    }

    /// Tells how far that is, by the first line of a message; what the server answers.
    pub async fn tell(&mut self, outcome: &str) -> io::Result<u16> {
        self.cseq += 1;
        let notify = self.request("NOTIFY", &format!("{outcome}\r\n"))?;
        let notify = notify.replace("application/sdp", "message/sipfrag;version=2.0");
        let about = "Event: refer\r\nSubscription-State: active;expires=60\r\nContact:";
        let notify = notify.replacen("Contact:", about, 1);
        Ok(status(&self.transact(&notify, "NOTIFY").await?))
    }
}
