/// The commits that memory does not show yet, in two lots: those begun before the last turn, and
/// those since.
///
/// An event must not be told before a reader of memory can see what it tells. Whoever reads events
/// out of the store turns and waits for the lot before: then all that it has read is shown. New
/// commits never hold it up, and it never holds up a commit.
struct CommitsUnderWay {
    private var since = 0
    private var before = 0
    private var turn: UInt64 = 0

    /// Whether everything committed before the last turn is shown.
    var isShown: Bool { before == 0 }

    /// Counts a commit that begins; gives what its end is told with.
    mutating func begin() -> UInt64 {
        since += 1
        return turn
    }

    mutating func end(_ begun: UInt64) {
        if begun == turn { since -= 1 } else { before -= 1 }
    }

    /// Makes those under way the lot before.
    mutating func makeTurn() {
        before += since
        since = 0
        turn += 1
    }
}
