//! The `sbcell` binary: hands over to the terminal and returns its exit code.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
