//! Answers an agent's next question, with files beneath a folder or in words: `answer NAME FOLDER`.

use std::time::Duration;

use cage_host::Host;
use cage_host::message::{InfoRequest, InfoResponse, Kind, Payload};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [name, folder] = &arguments[..] else { return Err("usage: answer NAME FOLDER".into()) };
    let cage = Host::connect().await?.cage(name).await?;
    let found = cage.outbox().wait_for(Kind::InfoRequest, Duration::from_secs(3_600)).await?;
    let delivery = found.ok_or("it asked nothing for an hour")?;
    if let Some(Payload::InfoRequest(request)) = delivery.message().map(|message| &message.payload) {
        if request.paths.is_some() {
            let answer = cage.inbox().answer(request, folder).await?;
            println!("sent {:?}, refused {:?}", answer.sent, answer.refused);
        } else {
            let sent = cage.inbox().answer_with(request, in_words).await?;
            println!("answered with message {}", sent.id);
        }
    }
    Ok(delivery.ack().await?)
}

/// What a person, another agent or a database would say.
async fn in_words(request: InfoRequest) -> Result<InfoResponse, String> {
    if request.description.contains("colour") {
        Ok(InfoResponse::to(request.request_id).with_content("blue"))
    } else {
        Err("nobody here knows".to_owned())
    }
}
