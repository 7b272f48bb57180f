import MigrationCore
import Testing

@Suite("The kernel's state machine against an independent search")
struct StateMachineSearchTests {
    @Test("the matrices of the reference hold cell by cell", arguments: ReferenceMachine.all)
    func matricesAgree(reference: ReferenceMachine) throws {
        let cells = try reference.cells()
        let states = DeviceState.allCases.filter { $0 != .error && reference.flags.supports($0) }
        #expect(cells.count == states.count * states.count)
        for cell in cells {
            let path = try? MigrationStateMachine.path(
                from: cell.from,
                to: cell.to,
                flags: reference.flags
            )
            let comment: Comment = "\(cell.from.kernelName) to \(cell.to.kernelName)"
            #expect(path?.arcs.map(\.to) == cell.path, comment)
            #expect((path?.newStream != nil) == cell.opensStream, comment)
            #expect(path?.endsStream ?? false == cell.endsStream, comment)
        }
    }

    @Test(
        "the walks of one arc are the driver's arcs and no others",
        arguments: zip([6, 8, 9, 15], ReferenceMachine.all)
    )
    func singleArcsAreTheDrivers(count: Int, reference: ReferenceMachine) throws {
        let graph = try reference.graph()
        #expect(graph.values.map(\.count).reduce(0, +) == count)
        for from in DeviceState.allCases {
            let direct = DeviceState.allCases.filter { to in
                let path = try? MigrationStateMachine.path(
                    from: from,
                    to: to,
                    flags: reference.flags
                )
                return path?.arcs.count == 1
            }
            #expect(Set(direct) == Set(graph[from] ?? []), "from \(from.kernelName)")
        }
    }

    /// The uAPI's two rules: the shortest path, and among several the one that has no saving state
    /// between its ends.
    @Test(
        "breadth-first search over the driver's arcs finds the very path",
        arguments: ReferenceMachine.all
    )
    func searchAgrees(reference: ReferenceMachine) throws {
        let graph = try reference.graph()
        for from in graph.keys {
            for to in graph.keys {
                let found = chosen(shortestPaths(from: from, to: to, in: graph))
                let comment: Comment = "\(from.kernelName) to \(to.kernelName): \(found)"
                #expect(found.count == 1, comment)
                let path = Result { () throws(PathRefusal) in
                    try MigrationStateMachine.path(from: from, to: to, flags: reference.flags)
                }
                if from == .stopCopy, to == .preCopy || to == .preCopyP2P {
                    // There is a way, and the kernel blocks it: it would run a stopped device.
                    #expect(path == .failure(.blocked), comment)
                } else {
                    #expect(try path.get().arcs.map(\.to) == found.first, comment)
                }
            }
        }
    }

    private func shortestPaths(
        from: DeviceState,
        to: DeviceState,
        in graph: [DeviceState: [DeviceState]]
    ) -> [[DeviceState]] {
        var frontier: [[DeviceState]] = [[]]
        for _ in 0...graph.count {
            let arrived = frontier.filter { ($0.last ?? from) == to }
            if !arrived.isEmpty { return arrived }
            frontier = frontier.flatMap { path in
                (graph[path.last ?? from] ?? []).map { path + [$0] }
            }
        }
        return []
    }

    private func chosen(_ paths: [[DeviceState]]) -> [[DeviceState]] {
        let saving: Set<DeviceState> = [.stopCopy, .preCopy, .preCopyP2P]
        let clean = paths.filter { saving.isDisjoint(with: $0.dropLast()) }
        return clean.isEmpty ? paths : clean
    }
}
