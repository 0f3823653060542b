//! What packing a folder would send, without sending it.

use std::fs::File;
use std::path::Path;

use super::pack::Arrival;
use super::walk::{Node, walk};
use crate::error::{IoContext as _, Result};

/// Counts what [`pack`](super::pack()) would send, and opens each file to see that it can be read.
pub(crate) fn survey(root: &Path) -> Result<Arrival> {
    let mut arrival = Arrival::default();
    walk(root, |path, node| {
        match node {
            Node::File(stat) => {
                let on_host = root.join(path.as_path());
                File::open(&on_host).context("read", &on_host)?;
                arrival.files += 1;
                arrival.bytes += stat.size;
            }
            Node::Link(_) => arrival.files += 1,
            Node::Special => arrival.left_out.push(path.as_path().to_owned()),
            Node::Folder => {}
        }
        Ok(())
    })?;
    Ok(arrival)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::transfer::pack;

    #[tokio::test]
    async fn counts_what_packing_sends() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("src")).unwrap();
        for (file, content) in [("a", "hello"), ("src/b", "x"), ("c.log", "no"), (".gitignore", "*.log\n")] {
            fs::write(dir.path().join(file), content).unwrap();
        }
        symlink("a", dir.path().join("link")).unwrap();
        std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
        let mut packing = pack(dir.path().to_owned());
        while packing.stream.recv().await.is_some() {}
        let sent = packing.done.await.unwrap().unwrap();
        assert_eq!(packing.counted.now(), (sent.files, sent.bytes));
        assert_eq!(survey(dir.path()).unwrap(), sent);
        assert_eq!((sent.files, sent.left_out.len()), (4, 1));
    }
}
