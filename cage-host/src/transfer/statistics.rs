//! Lines added and removed, by language.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// What a file without a known ending counts as.
const OTHER: &str = "other";

/// Names of files that say more than their ending.
const NAMES: [(&str, &str); 9] = [
    ("dockerfile", "Docker"),
    ("containerfile", "Docker"),
    ("makefile", "Make"),
    ("gnumakefile", "Make"),
    ("cmakelists.txt", "CMake"),
    ("jenkinsfile", "Groovy"),
    ("gemfile", "Ruby"),
    ("rakefile", "Ruby"),
    ("justfile", "Just"),
];

/// Endings of files, and the languages that they stand for.
const ENDINGS: [(&[&str], &str); 52] = [
    (&["rs"], "Rust"),
    (&["py", "pyi", "pyw"], "Python"),
    (&["js", "mjs", "cjs", "jsx"], "JavaScript"),
    (&["ts", "mts", "cts", "tsx"], "TypeScript"),
    (&["go"], "Go"),
    (&["java"], "Java"),
    (&["kt", "kts"], "Kotlin"),
    (&["c", "h"], "C"),
    (&["cc", "cpp", "cxx", "hh", "hpp", "hxx"], "C++"),
    (&["cs"], "C#"),
    (&["fs", "fsx"], "F#"),
    (&["swift"], "Swift"),
    (&["m", "mm"], "Objective-C"),
    (&["rb", "rake", "gemspec"], "Ruby"),
    (&["php"], "PHP"),
    (&["pl", "pm"], "Perl"),
    (&["lua"], "Lua"),
    (&["r"], "R"),
    (&["jl"], "Julia"),
    (&["scala", "sc"], "Scala"),
    (&["clj", "cljs", "cljc"], "Clojure"),
    (&["ex", "exs"], "Elixir"),
    (&["erl", "hrl"], "Erlang"),
    (&["hs"], "Haskell"),
    (&["ml", "mli"], "OCaml"),
    (&["zig"], "Zig"),
    (&["nim"], "Nim"),
    (&["dart"], "Dart"),
    (&["groovy", "gradle"], "Groovy"),
    (&["sh", "bash", "zsh", "fish"], "Shell"),
    (&["ps1", "psm1"], "PowerShell"),
    (&["bat", "cmd"], "Batch"),
    (&["sql"], "SQL"),
    (&["html", "htm"], "HTML"),
    (&["css"], "CSS"),
    (&["scss", "sass", "less"], "Sass and Less"),
    (&["vue"], "Vue"),
    (&["svelte"], "Svelte"),
    (&["md", "markdown"], "Markdown"),
    (&["rst"], "reStructuredText"),
    (&["tex"], "TeX"),
    (&["txt"], "Text"),
    (&["json", "jsonc", "json5"], "JSON"),
    (&["yaml", "yml"], "YAML"),
    (&["toml"], "TOML"),
    (&["xml", "xsd", "xsl"], "XML"),
    (&["ini", "cfg", "conf"], "INI"),
    (&["proto"], "Protocol Buffers"),
    (&["graphql", "gql"], "GraphQL"),
    (&["tf", "hcl"], "HCL"),
    (&["nix"], "Nix"),
    (&["cmake"], "CMake"),
];

/// How many lines differ, by language.
///
/// ```no_run
/// # async fn show(changes: &cage_host::Changes) -> cage_host::Result<()> {
/// print!("{}", changes.statistics().await?); // Rust  +120  -3  in 4 files
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statistics {
    languages: BTreeMap<&'static str, LanguageLines>,
}

/// The changes in files of one language.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LanguageLines {
    /// How many files differ.
    pub files: u64,
    /// How many lines were added.
    pub added: u64,
    /// How many lines were removed.
    pub removed: u64,
    /// How many of the files were not compared by lines: they are no text, too large, or could not be read.
    pub uncounted: u64,
}

/// The lines of one change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lines {
    pub(super) added: u64,
    pub(super) removed: u64,
}

impl Statistics {
    /// Returns each language by its name, in the order of the names.
    pub fn languages(&self) -> impl Iterator<Item = (&'static str, LanguageLines)> {
        self.languages.iter().map(|(name, lines)| (*name, *lines))
    }

    /// Returns the sum over all languages.
    pub fn total(&self) -> LanguageLines {
        self.languages.values().fold(LanguageLines::default(), |sum, next| LanguageLines {
            files: sum.files + next.files,
            added: sum.added + next.added,
            removed: sum.removed + next.removed,
            uncounted: sum.uncounted + next.uncounted,
        })
    }

    /// Adds a file; without lines it counts as a file alone.
    pub(super) fn add(&mut self, path: &Path, lines: Option<Lines>) {
        let entry = self.languages.entry(language(path)).or_default();
        entry.files += 1;
        match lines {
            None => entry.uncounted += 1,
            Some(lines) => {
                entry.added += lines.added;
                entry.removed += lines.removed;
            }
        }
    }
}

impl fmt::Display for Statistics {
    /// Writes a line for each language and, if there is more than one, a line for all.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (language, lines) in self.languages() {
            writeln!(f, "{language:16} {lines}")?;
        }
        if self.languages.len() > 1 {
            writeln!(f, "{:16} {}", "total", self.total())?;
        }
        Ok(())
    }
}

impl fmt::Display for LanguageLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = if self.files == 1 { "file" } else { "files" };
        write!(f, "+{} -{} in {} {files}", self.added, self.removed, self.files)?;
        if self.uncounted > 0 { write!(f, " ({} not counted)", self.uncounted) } else { Ok(()) }
    }
}

fn language(path: &Path) -> &'static str {
    let lower = |text: Option<&std::ffi::OsStr>| text.map(|text| text.to_string_lossy().to_lowercase());
    let name = lower(path.file_name()).unwrap_or_default();
    if let Some((_, language)) = NAMES.iter().find(|(known, _)| *known == name) {
        return language;
    }
    let ending = lower(path.extension()).unwrap_or_default();
    ENDINGS
        .iter()
        .find(|(endings, _)| endings.contains(&ending.as_str()))
        .map_or(OTHER, |(_, language)| language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_a_language_by_ending_or_name() {
        let cases = [
            ("src/main.rs", "Rust"),
            ("a/B.PY", "Python"),
            ("Dockerfile", "Docker"),
            ("CMakeLists.txt", "CMake"),
            ("notes.txt", "Text"),
            ("LICENSE", "other"),
            (".hidden", "other"),
        ];
        for (path, expected) in cases {
            assert_eq!(language(Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn shows_each_language_and_the_sum() {
        let mut statistics = Statistics::default();
        statistics.add(Path::new("a.rs"), Some(Lines { added: 3, removed: 1 }));
        statistics.add(Path::new("b.rs"), Some(Lines { added: 2, removed: 0 }));
        statistics.add(Path::new("logo.png"), None);
        insta::assert_snapshot!(statistics, @r"
        Rust             +5 -1 in 2 files
        other            +0 -0 in 1 file (1 not counted)
        total            +5 -1 in 3 files (1 not counted)
        ");
    }
}
