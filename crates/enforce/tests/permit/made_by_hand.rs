fn main() {
    let _ = enforce::Permit {};
}
