//! Hands the compiler's own facts to `build_info()`.

use std::process::Command;

fn main() {
    let rustc = std::env::var("RUSTC").expect("cargo sets RUSTC for build scripts");
    let version = Command::new(rustc).arg("--version").output().expect("rustc answers --version");
    println!("cargo::rustc-env=XOS_RUSTC={}", String::from_utf8_lossy(&version.stdout).trim());
    for (name, from) in [("XOS_TARGET", "TARGET"), ("XOS_PROFILE", "PROFILE")] {
        println!("cargo::rustc-env={name}={}", std::env::var(from).expect("cargo sets it for build scripts"));
    }
    println!("cargo::rerun-if-changed=build.rs");
}
