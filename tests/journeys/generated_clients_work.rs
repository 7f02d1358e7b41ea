//! Clients that generators make from `/openapi.json`, used as other teams would use them.

use std::path::{Path, PathBuf};
use std::process::Output;

use harness::World;
use harness::installed::path_of;
use tokio::process::Command;

/// What the clients are made from and used by.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");

/// A client's folder, with our files for it.
fn folder(place: &Path, name: &str) -> PathBuf {
    let folder = place.join(name);
    std::fs::create_dir(&folder).unwrap();
    for entry in std::fs::read_dir(Path::new(SOURCES).join(name)).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
    }
    folder
}

/// Runs a program, and returns what it said.
async fn run(folder: &Path, program: &Path, arguments: &[&str]) -> String {
    let output: Output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{} {arguments:?}: {said}", program.display());
    said
}

/// A client by openapi-python-client.
async fn python(world: &World, place: &Path, clients: &Path) -> String {
    let folder = folder(place, "python");
    let bin = clients.join("venv/bin");
    let generate = ["generate", "--path", "../openapi.json", "--config", "generate.yaml"];
    let options = ["--meta", "none", "--output-path", "beckon_client", "--fail-on-warning"];
    let arguments = [generate.as_slice(), &options].concat();
    run(&folder, &bin.join("openapi-python-client"), &arguments).await;
    run(
        &folder,
        &bin.join("python"),
        &["use_client.py", world.base(), world.key()],
    )
    .await
}

/// A client by openapi-typescript, whose types the compiler checks before anything runs.
async fn typescript(world: &World, place: &Path, clients: &Path, node: &Path) -> String {
    let folder = folder(place, "typescript");
    std::os::unix::fs::symlink(clients.join("node_modules"), folder.join("node_modules")).unwrap();
    let generator = "node_modules/openapi-typescript/bin/cli.js";
    run(
        &folder,
        node,
        &[generator, "../openapi.json", "--output", "schema.d.ts"],
    )
    .await;
    run(&folder, node, &["node_modules/typescript/bin/tsc", "--project", "."]).await;
    run(&folder, node, &["built/use_client.js", world.base(), world.key()]).await
}

#[tokio::test]
async fn in_python_and_in_typescript() {
    let world = World::start().await;
    let (clients, node) = (path_of("CLIENTS").await.unwrap(), path_of("NODE").await.unwrap());
    let place = world.folder();
    let openapi = world.get("/openapi.json").await;
    std::fs::write(place.join("openapi.json"), &openapi.text).unwrap();

    let (python, typescript) = tokio::join!(
        python(&world, place, &clients),
        typescript(&world, place, &clients, &node)
    );

    assert!(python.contains("Python: every answer fits its type"), "{python}");
    assert!(
        typescript.contains("TypeScript: every answer fits its type"),
        "{typescript}"
    );
    assert_eq!(world.relay.accepted_count(), 2);
    world.assert_promises_kept().await;
    world.end().await;
}
