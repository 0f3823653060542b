//! The check for leftovers, held against a test that leaves something.

use std::panic::AssertUnwindSafe;

use cage_tests::docker::{docker, in_docker};
use cage_tests::places;
use futures_util::FutureExt as _;

async fn leave_a_container(name: &str) {
    let (container, label) = (format!("isolated-dev-{name}"), format!("dev.cage.name={name}"));
    let create = ["create", "--name", &container, "--label", &label, &places::image()];
    let _ = docker(create).await.exits_with(0);
}

async fn containers_of(story: &str) -> String {
    let filter = format!("name=isolated-dev-{story}");
    docker(["container", "ls", "--all", "--quiet", "--filter", &filter])
        .await
        .exits_with(0)
        .stdout()
        .to_owned()
}

#[tokio::test]
async fn fails_a_test_that_leaves_a_container_and_removes_it() {
    in_docker("harness", async |_| {
        let careless = in_docker("careless", leave_a_container);
        let panic =
            AssertUnwindSafe(careless).catch_unwind().await.expect_err("the check finds the container");
        let message = panic.downcast_ref::<String>().expect("a message");
        assert!(message.starts_with("left in Docker after careless:\ncontainer "), "{message}");
        assert_eq!(containers_of("careless").await, "");
    })
    .await;
}
