//! Tests that cannot run on every machine: skipped where that is all right, loudly, and never called green. And tests
//! that can run longer.

use std::env;
use std::io::{self, Write as _};

/// Says on the terminal that a test is skipped, and for want of what.
///
/// # Panics
/// When `CAGE_REQUIRE_DOCKER=1` demands that everything is tested, as CI does.
pub fn skip(test: &str, missing: &str) {
    let demanded = env::var_os("CAGE_REQUIRE_DOCKER").is_some_and(|value| value == "1");
    assert!(!demanded, "{missing}, and CAGE_REQUIRE_DOCKER=1 demands it");
    // The test runner captures what the macros print, but not this.
    let _ = writeln!(io::stderr(), "SKIPPED {test}: {missing}");
}

/// Tells whether tests that know no end are to run long, as `CAGE_SOAK=1` asks for.
pub fn soak() -> bool {
    env::var_os("CAGE_SOAK").is_some_and(|value| value == "1")
}
