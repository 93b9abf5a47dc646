//! The `campanile` program.

fn main() -> std::process::ExitCode {
    campanile::cli::run()
}
