import MigrationCore
import Testing

@Suite("The kernel's state machine, case by case")
struct StateMachineVectorTests {
    @Test("all 189 vectors are there: every flag set, state and target once")
    func vectorsAreComplete() throws {
        let vectors = try KernelVector.all()
        #expect(vectors.count == 189)
        #expect(Set(vectors.map(\.testDescription)).count == 189)
        for flags in MigrationFlags.meaningful {
            let states = DeviceState.allCases.filter { $0 != .error && flags.supports($0) }
            let ofFlags = vectors.filter { $0.flags == flags.rawValue }
            #expect(Set(ofFlags.map(\.frm)) == Set(states.map(\.kernelName)))
            #expect(ofFlags.count == states.count * 9)
        }
    }

    @Test("a SET walks the arcs, refuses, and treats the streams as the kernel does")
    func vectorsAgree() throws {
        for vector in try KernelVector.all() {
            let flags = MigrationFlags(rawValue: vector.flags)
            let from = try #require(DeviceState(kernelName: vector.frm))
            guard case .known(let target) = vector.target else {
                // No state of ours has that number, so no SET can ask for it.
                #expect(vector.target == .unknown(8), "\(vector.testDescription)")
                #expect(DeviceState(rawValue: 8) == nil)
                #expect(vector.errno == "EINVAL")
                continue
            }
            let path = Result { () throws(PathRefusal) in
                try MigrationStateMachine.path(from: from, to: target, flags: flags)
            }
            switch path {
            case .success(let path):
                expect(path, from: from, is: vector)
            case .failure:
                #expect(vector.errno == "EINVAL", "\(vector.testDescription)")
                #expect(vector.path == nil)
            }
        }
    }

    private func expect(_ path: StatePath, from: DeviceState, is vector: KernelVector) {
        let comment = Comment(rawValue: vector.testDescription)
        #expect(vector.errno == nil, comment)
        #expect(path.arcs.map(\.to.kernelName) == vector.path, comment)
        #expect((path.newStream != nil) == vector.newDescriptor, comment)
        #expect(path.endsStream == vector.sessionEnds, comment)
        var state = from
        for arc in path.arcs {
            #expect(arc.from == state, comment)
            state = arc.to
        }
    }

    @Test("a new stream is written to in RESUMING and read from in every other state")
    func directionsAgree() throws {
        for vector in try KernelVector.all() where vector.newDescriptor {
            let from = try #require(DeviceState(kernelName: vector.frm))
            let to = try #require(DeviceState(kernelName: vector.to))
            let flags = MigrationFlags(rawValue: vector.flags)
            let path = try MigrationStateMachine.path(from: from, to: to, flags: flags)
            #expect(path.newStream == (to == .resuming ? .resume : .save))
        }
    }

    @Test("ERROR is neither a target nor ever left", arguments: MigrationFlags.meaningful)
    func errorIsADeadEnd(flags: MigrationFlags) {
        for state in DeviceState.allCases {
            #expect(throws: PathRefusal.errorState) {
                try MigrationStateMachine.path(from: .error, to: state, flags: flags)
            }
            #expect(throws: PathRefusal.errorState) {
                try MigrationStateMachine.path(from: state, to: .error, flags: flags)
            }
        }
    }

    @Test("each refusal says why")
    func refusalsSayWhy() {
        #expect(throws: PathRefusal.blocked) {
            try MigrationStateMachine.path(
                from: .stopCopy,
                to: .preCopyP2P,
                flags: [.stopCopy, .p2p, .preCopy]
            )
        }
        #expect(throws: PathRefusal.unsupported(.runningP2P)) {
            try MigrationStateMachine.path(from: .running, to: .runningP2P, flags: .stopCopy)
        }
        #expect(throws: PathRefusal.unsupported(.preCopy)) {
            try MigrationStateMachine.path(from: .preCopy, to: .running, flags: .stopCopy)
        }
    }

    @Test("any 8 bits of flags give a walk over supported states, or a refusal")
    func hostileFlagsTerminate() {
        for rawValue in (0...UInt64(255)) {
            let flags = MigrationFlags(rawValue: rawValue | 1 << 63)
            for from in DeviceState.allCases {
                for to in DeviceState.allCases {
                    let path = try? MigrationStateMachine.path(from: from, to: to, flags: flags)
                    guard let path else { continue }
                    #expect(path.arcs.count <= DeviceState.allCases.count)
                    #expect(path.arcs.allSatisfy { flags.supports($0.to) })
                    #expect(path.arcs.last.map { $0.to == to } ?? (from == to))
                }
            }
        }
    }
}
