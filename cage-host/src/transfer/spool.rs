//! Contents taken out of a cage, kept in one nameless file of the host.
//!
//! They are read out of the cage once. What was shown is then exactly what is exported, whatever the agent does to
//! its files in between; and neither their number nor their size costs memory.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::unix::fs::FileExt as _;

/// A part of a [`Spool`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    offset: u64,
    pub(super) len: u64,
}

/// A file without a name that contents are appended to.
#[derive(Debug)]
pub(super) struct Spool {
    file: File,
    end: u64,
}

impl Spool {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { file: tempfile::tempfile()?, end: 0 })
    }

    /// Appends `len` bytes of a reader; fewer are an error.
    pub(super) fn append(&mut self, reader: &mut impl Read, len: u64) -> io::Result<Span> {
        let copied = io::copy(&mut reader.take(len), &mut self.file)?;
        let span = Span { offset: self.end, len };
        self.end += copied;
        if copied < len { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(span) }
    }

    /// Reads a part from its beginning.
    pub(super) fn reader(&self, span: Span) -> impl Read {
        SpanReader { file: &self.file, offset: span.offset, left: span.len }
    }

    /// Makes what was appended readable.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

struct SpanReader<'a> {
    file: &'a File,
    offset: u64,
    left: u64,
}

impl Read for SpanReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.file.read_at(&mut buffer[..room], self.offset)?;
        self.offset += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_each_part_as_it_came() {
        let mut spool = Spool::new().unwrap();
        let spans =
            ["one", "", "three"].map(|text| spool.append(&mut text.as_bytes(), text.len() as u64).unwrap());
        let read = spans.map(|span| io::read_to_string(spool.reader(span)).unwrap());
        assert_eq!(read, ["one", "", "three"]);
    }

    #[test]
    fn rejects_a_part_that_ends_early() {
        assert!(Spool::new().unwrap().append(&mut &b"ab"[..], 3).is_err());
    }
}
