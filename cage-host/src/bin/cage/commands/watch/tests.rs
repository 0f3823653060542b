//! The dashboard without a terminal: pictures and keys.

use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::model::{Look, Mode, Model, Row, Seen};
use super::update::{Key, News, Wish};
use super::view;

fn seen(index: u64) -> Seen {
    Seen {
        state: "working".to_owned(),
        progress: format!("step {index}"),
        quiet_for: Some(Duration::from_secs(index * 70)),
        turns: Some(index),
        cost_usd: Some(0.25),
        at: Duration::ZERO,
    }
}

fn row(name: &str, look: Look) -> Row {
    Row { name: name.to_owned(), container: "running".to_owned(), bytes: Some(1_500_000), look }
}

fn model(rows: Vec<Row>) -> Model {
    let mut model = Model::default();
    assert_eq!(model.take(News::Listed(rows)), None);
    model
}

fn hundred() -> Model {
    model((0..100).map(|index| row(&format!("demo-{index:02}"), Look::Seen(seen(index)))).collect())
}

/// The picture at 80×24, without blanks at the ends of lines.
fn picture(model: &Model) -> String {
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    terminal.draw(|frame| view::draw(model, frame)).unwrap();
    let text = terminal.backend().to_string();
    text.lines().map(|line| line.trim_matches('"').trim_end()).collect::<Vec<_>>().join("\n")
}

fn press(model: &mut Model, keys: &[Key]) -> Option<Wish> {
    keys.iter().fold(None, |_, key| model.take(News::Key(*key)))
}

#[test]
fn shows_no_cage() {
    assert!(picture(&Model::default()).contains("looking"));
    insta::assert_snapshot!("none", picture(&model(Vec::new())));
}

#[test]
fn shows_one_cage() {
    insta::assert_snapshot!("one", picture(&model(vec![row("demo", Look::Seen(seen(3)))])));
}

#[test]
fn shows_the_chosen_one_of_a_hundred_cages() {
    let mut model = hundred();
    insta::assert_snapshot!("hundred", picture(&model));
    press(&mut model, &[Key::End]);
    assert!(picture(&model).contains("demo-99"));
    press(&mut model, &[Key::Home]);
    assert!(picture(&model).contains("demo-00") && !picture(&model).contains("demo-99"));
}

#[test]
fn changes_the_picture_only_when_something_else_is_to_be_seen() {
    let mut model = model(vec![row("demo", Look::Seen(seen(3)))]);
    let (before, name) = (view::texts(&model), || "demo".to_owned());
    model.touched = false;
    model.take(News::Clock(Duration::from_secs(29)));
    let look = Look::Seen(Seen { quiet_for: Some(Duration::from_secs(238)), ..seen(3) });
    model.take(News::Looked { name: name(), look });
    model.take(News::Sized([(name(), 1_500_001)].into()));
    assert_eq!((view::texts(&model), model.touched), (before, false));
    model.take(News::Clock(Duration::from_secs(31)));
    assert!(picture(&model).contains(" 4m "), "its silence has grown by a minute\n{}", picture(&model));
    model.take(News::Key(Key::Down));
    assert!(model.touched);
}

#[test]
fn lets_no_text_steer_the_terminal() {
    let hostile = "a\u{1b}[2J\u{202e}\nb\t\u{9b}31m";
    let look =
        Look::Seen(Seen { state: hostile.to_owned(), progress: hostile.to_owned(), ..Seen::default() });
    let mut model = model(vec![row(hostile, look), row("x", Look::Failed(hostile.to_owned()))]);
    model.notice = hostile.to_owned();
    let page = News::Page { title: hostile.to_owned(), lines: vec![hostile.to_owned()] };
    let list = picture(&model);
    model.take(page);
    for text in [list, picture(&model)] {
        assert!(text.contains("a\\u{1b}[2J"), "{text}");
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{9b}', '\t']), "{text:?}");
        assert_eq!(text.lines().count(), 24);
    }
}

#[test]
fn asks_before_it_stops_a_cage() {
    let mut model = hundred();
    assert_eq!(press(&mut model, &[Key::Down, Key::Char('s')]), None);
    assert!(picture(&model).contains("stop demo-01?"));
    assert_eq!(press(&mut model, &[Key::Enter]), None, "only y is a yes");
    assert_eq!(press(&mut model, &[Key::Char('s'), Key::Char('y')]), Some(Wish::Stop("demo-01".to_owned())));
}

#[test]
fn sends_what_was_typed_and_nothing_empty() {
    let mut model = hundred();
    press(&mut model, &[Key::Char('r'), Key::Char('q'), Key::Char('x'), Key::Backspace]);
    let wish = press(&mut model, &[Key::Enter]);
    assert_eq!(wish, Some(Wish::Revise { name: "demo-00".to_owned(), text: "q".to_owned() }));
    assert_eq!(press(&mut model, &[Key::Char('r'), Key::Char(' '), Key::Enter]), None);
    assert_eq!(press(&mut model, &[Key::Interrupt]), Some(Wish::Quit), "Ctrl-C ends it anywhere");
}

#[test]
fn keeps_the_chosen_cage_and_its_look_when_the_list_changes() {
    let mut model = hundred();
    press(&mut model, &[Key::PageDown]);
    let rest = (7..100).map(|index| row(&format!("demo-{index:02}"), Look::NotYet)).collect();
    model.take(News::Listed(rest));
    let chosen = model.chosen().unwrap();
    assert_eq!((chosen.name.as_str(), &chosen.look), ("demo-10", &Look::Seen(seen(10))));
    model.take(News::Listed(Vec::new()));
    assert_eq!(press(&mut model, &[Key::Char('m')]), None, "there is none to read");
}

#[test]
fn takes_nothing_away_from_who_types_when_a_page_comes() {
    let mut model = hundred();
    press(&mut model, &[Key::Char('m'), Key::Char('r'), Key::Char('x')]);
    model.take(News::Page { title: "messages".to_owned(), lines: vec!["late".to_owned()] });
    assert!(matches!(model.mode, Mode::Revising { .. }));
    press(&mut model, &[Key::Escape]);
    model.take(News::Page { title: "messages".to_owned(), lines: vec!["first".to_owned()] });
    assert!(picture(&model).contains("first"));
    assert_eq!(press(&mut model, &[Key::Char('q')]), None, "q goes back");
    assert_eq!(press(&mut model, &[Key::Char('q')]), Some(Wish::Quit));
}
