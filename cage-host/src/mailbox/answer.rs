//! Files of the host as the answer to a question.

use std::io::{self, Read as _};
use std::path::PathBuf;

use cage_proto::message::{InfoRequest, InfoResponse};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use tokio::task::spawn_blocking;

use crate::error::{EngineError, IoContext as _, Result};
use crate::sanitize::sanitize;
use crate::transfer::{SafePath, open_beneath};

/// Files in one answer.
pub const MAX_ANSWER_FILES: usize = 64;

/// Bytes of all files in one answer together. A message holds 1 MiB of JSON, and escapes make text longer.
pub const MAX_ANSWER_BYTES: u64 = 512 * 1024;

/// What an agent got for its question.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The files that were sent, as the agent named them.
    pub sent: Vec<String>,
    /// The files that were not.
    pub refused: Vec<Refusal>,
}

/// A file that an agent asked for and did not get.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The path, safe to show.
    pub path: String,
    /// Why, in words that give nothing away about the host.
    pub reason: String,
}

/// Reads the files that a question names, as far as they lie beneath a folder.
pub(super) async fn collect(request: InfoRequest, folder: PathBuf) -> Result<(Answer, InfoResponse)> {
    let collected = spawn_blocking(move || {
        let dir = Dir::open_ambient_dir(&folder, ambient_authority()).context("open the folder", &folder)?;
        Ok(compose(&request, &dir, MAX_ANSWER_BYTES))
    });
    collected.await.unwrap_or_else(|error| {
        Err(EngineError::Lost { operation: "read the answer", reason: error.to_string() }.into())
    })
}

fn compose(request: &InfoRequest, dir: &Dir, limit: u64) -> (Answer, InfoResponse) {
    let mut answer = Answer { sent: Vec::new(), refused: Vec::new() };
    let mut response = InfoResponse::to(&request.request_id);
    let mut left = limit;
    for (index, path) in request.paths.iter().flatten().enumerate() {
        let content = match index {
            ..MAX_ANSWER_FILES => read(dir, path, left),
            _ => Err(format!("only {MAX_ANSWER_FILES} files are sent at once")),
        };
        match content {
            Ok(content) => {
                left -= content.len() as u64;
                response = response.with_file(path, content);
                answer.sent.push(path.clone());
            }
            Err(reason) => answer.refused.push(Refusal { path: sanitize(path), reason }),
        }
    }
    let response = response.with_content(in_words(&answer));
    (answer, response)
}

fn read(dir: &Dir, path: &str, left: u64) -> Result<String, String> {
    let path = SafePath::new(path.strip_prefix("./").unwrap_or(path).as_bytes())
        .map_err(|error| error.to_string())?;
    let mut file = open_beneath(dir, &path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        // What exactly stands in the way is the host's own affair.
        _ => "it is no regular file that may be read".to_owned(),
    })?;
    let mut content = Vec::new();
    // One byte more than allowed tells a file of the limit from a longer one, whatever its size claims.
    file.by_ref().take(left + 1).read_to_end(&mut content).map_err(|_| "it could not be read".to_owned())?;
    if content.len() as u64 > left {
        return Err(format!("the files of one answer have at most {MAX_ANSWER_BYTES} bytes together"));
    }
    String::from_utf8(content).map_err(|_| "it is no UTF-8 text".to_owned())
}

/// Says in words what was sent and what was not, so that the agent does not wait for the rest.
fn in_words(answer: &Answer) -> String {
    if answer.refused.is_empty() {
        return match answer.sent.len() {
            0 => "the question names no file; ask again with `paths`".to_owned(),
            count => format!("{count} of {count} files sent"),
        };
    }
    let total = answer.sent.len() + answer.refused.len();
    let refused: Vec<_> = answer.refused.iter().map(|r| format!("{}: {}", r.path, r.reason)).collect();
    format!("{} of {total} files sent; not sent: {}", answer.sent.len(), refused.join("; "))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn answer(paths: &[&str], limit: u64) -> (Answer, InfoResponse) {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("allowed");
        fs::create_dir_all(folder.join("sub")).unwrap();
        fs::write(root.path().join("secret"), "secret").unwrap();
        fs::write(folder.join("a.md"), "hello").unwrap();
        fs::write(folder.join("sub/b.md"), "there").unwrap();
        fs::write(folder.join("binary"), b"\xff\xfe").unwrap();
        symlink("../secret", folder.join("link-out")).unwrap();
        symlink("a.md", folder.join("link-in")).unwrap();
        symlink("..", folder.join("up")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, folder.join("fifo"), rustix::fs::Mode::RUSR).unwrap();
        let dir = Dir::open_ambient_dir(&folder, ambient_authority()).unwrap();
        let mut request = InfoRequest::new("r", "d");
        request.paths = Some(paths.iter().map(|&path| path.to_owned()).collect());
        compose(&request, &dir, limit)
    }

    #[test]
    fn sends_files_beneath_the_folder() {
        let (answer, response) = answer(&["a.md", "./sub/b.md"], 100);
        assert_eq!(answer.sent, ["a.md", "./sub/b.md"]);
        let contents: Vec<_> = response.files.unwrap().into_iter().map(|file| file.content).collect();
        assert_eq!(contents, ["hello", "there"]);
        assert_eq!(response.content.as_deref(), Some("2 of 2 files sent"));
    }

    #[test]
    fn refuses_whatever_is_no_regular_file_beneath_the_folder() {
        let hostile = [
            "/etc/passwd",
            "../secret",
            "sub/../../secret",
            "link-out",
            "link-in",
            "up/secret",
            "fifo",
            "sub",
            "",
            "nope",
            "binary",
        ];
        let (answer, response) = answer(&hostile, 100);
        assert_eq!(answer.sent, Vec::<String>::new());
        assert_eq!(answer.refused.len(), hostile.len());
        assert_eq!(response.files, None);
        assert!(!response.content.unwrap().contains("secret\""));
    }

    #[test]
    fn refuses_what_goes_over_the_limit_and_says_so() {
        let (answer, _) = answer(&["a.md", "sub/b.md"], 9);
        assert_eq!(answer.sent, ["a.md"]);
        assert!(answer.refused[0].reason.contains("at most"), "{answer:?}");
    }

    #[test]
    fn sends_a_bounded_number_of_files() {
        let (answer, _) = answer(&["a.md"; MAX_ANSWER_FILES + 3], 10_000);
        assert_eq!((answer.sent.len(), answer.refused.len()), (MAX_ANSWER_FILES, 3));
    }

    #[test]
    fn says_so_when_a_question_names_no_file() {
        let (_, response) = answer(&[], 100);
        assert_eq!(response.content.as_deref(), Some("the question names no file; ask again with `paths`"));
    }
}
