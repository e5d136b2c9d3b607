//! The operating system, its C library, and the target of the compiler.

use std::fs;

/// The target of the compiler: processor, vendor, system and C library, such as `x86_64-unknown-linux-gnu`.
///
/// Processors and systems without a name here are `other`.
pub fn target() -> String {
    let processor = match () {
        () if cfg!(target_arch = "x86_64") => "x86_64",
        () if cfg!(target_arch = "aarch64") => "aarch64",
        () if cfg!(target_arch = "x86") => "x86",
        () if cfg!(target_arch = "riscv64") => "riscv64",
        () => "other",
    };
    let vendor = match () {
        () if cfg!(target_vendor = "apple") => "apple",
        () if cfg!(target_vendor = "pc") => "pc",
        () => "unknown",
    };
    let library = match () {
        () if cfg!(target_env = "gnu") => "-gnu",
        () if cfg!(target_env = "musl") => "-musl",
        () if cfg!(target_env = "msvc") => "-msvc",
        () => "",
    };
    format!("{processor}-{vendor}-{}{library}", kind())
}

/// The name of the system in targets.
fn kind() -> &'static str {
    match () {
        () if cfg!(target_os = "linux") => "linux",
        () if cfg!(target_os = "macos") => "darwin",
        () if cfg!(target_os = "windows") => "windows",
        () if cfg!(target_os = "freebsd") => "freebsd",
        () => "other",
    }
}

/// The C library and how it is linked, such as `glibc, dynamic`.
pub fn libc() -> String {
    let name = match () {
        () if cfg!(all(target_os = "linux", target_env = "gnu")) => "glibc",
        () if cfg!(target_env = "musl") => "musl",
        () => "that of the system",
    };
    let linked = if cfg!(target_feature = "crt-static") { "static" } else { "dynamic" };
    format!("{name}, {linked}")
}

/// Name and version of the operating system; without its version where it is not in a file.
pub fn name() -> String {
    let name = fs::read_to_string("/etc/os-release").ok().and_then(|text| name_in(&text));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
    let kernel = kernel.map(|kernel| format!(", kernel {}", kernel.trim())).unwrap_or_default();
    format!("{}{kernel}", name.unwrap_or_else(|| kind().to_string()))
}

/// The name in the text of `/etc/os-release`.
fn name_in(text: &str) -> Option<String> {
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(name.trim_matches(['"', '\'']).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_has_the_names_of_the_compiler() {
        let target = target();
        assert!(target.starts_with(std::env::consts::ARCH), "{target}");
        let os = std::env::consts::OS;
        assert!(target.contains(if os == "macos" { "darwin" } else { os }), "{target}");
        assert!(!name().is_empty() && libc().contains(", "));
    }

    #[test]
    fn the_name_of_the_system_has_no_quotes() {
        assert_eq!(name_in("ID=x\nPRETTY_NAME=\"Debian 12\"\n").unwrap(), "Debian 12");
        assert!(name_in("ID=x").is_none());
    }
}
