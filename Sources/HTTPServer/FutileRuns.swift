/// Notices that libmicrohttpd wants to be run again and again, and does nothing.
///
/// When somebody else runs it, libmicrohttpd 0.9.75 never gives up a connection whose buffer is
/// full of what it can make nothing of, such as a chunk's extension of 100 KiB: it takes its user
/// for one who is slow to take a body, and says that there is something to do.
struct FutileRuns {
    /// What to do after a run.
    struct Advice {
        /// Milliseconds to wait for something to do; -1 for ever.
        let patience: Int32
        /// Whether it is time to look for the connections that cannot go on.
        let isStuck: Bool
    }

    /// A run that only moves bytes calls nobody; so many of them move more than any answer has that
    /// is not asked for block by block.
    private static let limit = 2000
    /// Between the runs that follow.
    private static let rest: Int32 = 10
    private var count = 0

    /// `patience` is what libmicrohttpd says after a run, and whether it called anybody in it.
    mutating func advice(patience: Int32, didCall: Bool) -> Advice {
        guard patience == 0, !didCall else {
            count = 0
            return Advice(patience: patience, isStuck: false)
        }
        count += 1
        guard count >= Self.limit else { return Advice(patience: 0, isStuck: false) }
        return Advice(patience: Self.rest, isStuck: (count - Self.limit) % 100 == 0)
    }
}
