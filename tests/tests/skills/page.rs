//! A skill's page: its front matter, and the commands in it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use cage_tests::places::root;

/// Every skill of the plugin.
pub(crate) const SKILLS: [&str; 3] = ["cage-iterate", "cage-orchestrator", "cage-protocol"];

/// Longest description that Claude Code keeps, in characters.
const DESCRIPTION_CHARS_MAX: usize = 1024;

/// The page of one skill.
pub(crate) struct Page {
    pub(crate) text: String,
    pub(crate) front: BTreeMap<String, String>,
    commands: Vec<Commands>,
    run: RefCell<BTreeSet<usize>>,
}

/// One block of commands, and the heading that it stands under.
struct Commands {
    heading: String,
    text: String,
}

/// The folder that is the plugin.
pub(crate) fn plugin() -> PathBuf {
    root().join("skills")
}

impl Page {
    /// Reads the page of a skill.
    pub(crate) fn of(skill: &str) -> Self {
        let page = fs::read_to_string(plugin().join(skill).join("SKILL.md")).unwrap();
        let (front, text) = page.strip_prefix("---\n").unwrap().split_once("\n---\n\n").unwrap();
        let front = front.lines().map(|line| line.split_once(": ").unwrap());
        let front = front.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Self { commands: commands(text), text: text.to_owned(), front, run: RefCell::default() }
    }

    /// The blocks of commands under a heading; whoever takes one runs it.
    #[track_caller]
    pub(crate) fn under(&self, heading: &str) -> Vec<&str> {
        let found = self.commands.iter().enumerate().filter(|(_, block)| block.heading == heading);
        let (places, blocks): (Vec<_>, Vec<_>) = found.map(|(at, block)| (at, block.text.as_str())).unzip();
        assert!(!blocks.is_empty(), "no commands under {heading:?}");
        self.run.borrow_mut().extend(places);
        blocks
    }

    /// Asserts that no block was left out.
    #[track_caller]
    pub(crate) fn was_run_to_the_last_command(&self) {
        let run = self.run.borrow();
        let left: Vec<_> = self.commands.iter().enumerate().filter(|(at, _)| !run.contains(at)).collect();
        assert!(
            left.is_empty(),
            "never run: {:?}",
            left.iter().map(|(_, block)| &block.text).collect::<Vec<_>>()
        );
    }
}

fn commands(text: &str) -> Vec<Commands> {
    let (mut heading, mut blocks, mut inside) = (String::new(), Vec::<Commands>::new(), false);
    for line in text.lines() {
        match (inside, line) {
            (true, "```") => inside = false,
            (true, line) => blocks.last_mut().unwrap().text.extend([line, "\n"]),
            (false, "```sh") => {
                inside = true;
                blocks.push(Commands { heading: heading.clone(), text: String::new() });
            }
            (false, line) => {
                assert!(!line.starts_with("```"), "nothing proves a block that begins with {line}");
                if let Some(title) = line.strip_prefix("## ") {
                    title.clone_into(&mut heading);
                }
            }
        }
    }
    blocks
}

#[test]
fn each_skill_has_the_front_matter_that_makes_it_one() {
    for skill in SKILLS {
        let page = Page::of(skill);
        assert_eq!(page.front.keys().map(String::as_str).collect::<Vec<_>>(), ["description", "name"]);
        assert_eq!(page.front["name"], skill, "Claude Code takes the folder's name, other tools this one");
        let description = &page.front["description"];
        assert!(description.chars().count() <= DESCRIPTION_CHARS_MAX, "{skill}");
        assert!(description.contains("Use when"), "{skill} does not say when it is to be used");
        // What YAML would take for something else than plain text.
        assert!(!description.contains(": ") && !description.contains(" #"), "{description}");
        assert!(description.starts_with(char::is_alphabetic), "{description}");
    }
}

#[test]
fn the_plugin_holds_these_skills_and_no_other() {
    let folders = fs::read_dir(plugin()).unwrap().map(|entry| entry.unwrap());
    let folders = folders.map(|entry| entry.file_name().into_string().unwrap());
    let skills: BTreeSet<_> = folders.filter(|name| !name.starts_with('.')).collect();
    assert_eq!(skills, SKILLS.map(str::to_owned).into());
}
