internal import Dispatch
internal import Synchronization

/// The workers of one job, one for each device of its set, on which its steps run side by side.
struct Crew: Sendable {
    /// In the order of the members; the runner itself works on the first one's.
    ///
    /// Fewer than members only when a job of a daemon with more workers goes on.
    let queues: [DispatchQueue]

    /// Does something for each member on that member's worker, and waits for all of them: the
    /// barrier between the steps of a set.
    ///
    /// For the thread of the first worker alone.
    func each<Result: Sendable>(
        _ members: [JobMember],
        _ body: @escaping @Sendable (JobMember) -> Result
    ) -> [MemberOutcome<Result>] {
        guard members.count > 1 else { return members.map { MemberOutcome($0, body($0)) } }
        let results = Results<Result>(count: members.count)
        let group = DispatchGroup()
        // The first one's worker is either this very thread or has nothing else to do, and what
        // shares the worker of this thread has to be done by it.
        let own = members.indices.filter { $0 == 0 || members[$0].number % queues.count == 0 }
        for (place, member) in members.enumerated() where !own.contains(place) {
            group.enter()
            queues[member.number % queues.count].async {
                results.put(body(member), at: place)
                group.leave()
            }
        }
        for place in own { results.put(body(members[place]), at: place) }
        group.wait()
        return results.all.enumerated().compactMap { place, result in
            result.map { MemberOutcome(members[place], $0) }
        }
    }
}

/// What a member's part of a step came to.
struct MemberOutcome<Result: Sendable>: Sendable {
    let member: JobMember
    let result: Result

    init(_ member: JobMember, _ result: Result) {
        self.member = member
        self.result = result
    }
}

/// Where the members of a set put what their part of a step came to.
private final class Results<Result: Sendable>: Sendable {
    /// Guards the results.
    ///
    /// A leaf.
    private let state: Mutex<[Result?]>

    init(count: Int) { state = Mutex(Array(repeating: nil, count: count)) }

    func put(_ result: Result, at place: Int) { state.withLock { $0[place] = result } }

    var all: [Result?] { state.withLock { $0 } }
}
