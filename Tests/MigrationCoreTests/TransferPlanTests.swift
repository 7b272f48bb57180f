import MigrationCore
import Testing

@Suite("Plans")
struct TransferPlanTests {
    @Test("the phases of a plan never go back", arguments: NamedPlan.all)
    func phasesAreInOrder(named: NamedPlan) throws {
        let places = try named.plan.steps.map { step in
            try #require(JobPhase.allCases.firstIndex(of: step.phase))
        }
        #expect(places == places.sorted())
    }

    @Test("a side reaches RUNNING_P2P before RUNNING whenever it has P2P", arguments: NamedPlan.all)
    func twoPasses(named: NamedPlan) {
        let actions = named.plan.steps.map(\.action)
        for (side, flags) in [
            (Side.source, named.plan.sourceFlags), (.target, named.plan.targetFlags),
        ] {
            for (index, action) in actions.enumerated() where action == .set(side, .running) {
                let isP2P = flags.contains(.p2p)
                #expect((actions[index - 1] == .set(side, .runningP2P)) == isP2P)
            }
        }
        let source = actions.compactMap { action -> DeviceState? in
            if case .set(.source, let state) = action { state } else { nil }
        }
        guard let stopCopy = source.firstIndex(of: .stopCopy) else { return }
        let quiet = source[..<stopCopy].contains { $0 == .runningP2P || $0 == .preCopyP2P }
        #expect(quiet == named.plan.sourceFlags.contains(.p2p))
    }

    @Test("targets are LOADED before the commit and only then run", arguments: NamedPlan.all)
    func loadedBeforeCommit(named: NamedPlan) throws {
        let plan = named.plan
        let actions = plan.steps.map(\.action)
        guard plan.hasCommit else {
            #expect(plan.kind == .save || plan.kind == .reset)
            return
        }
        let commit = try #require(actions.firstIndex(of: .commit))
        #expect(plan.decisionIndex == commit)
        #expect(actions.count { $0 == .commit } == 1)
        #expect(actions[commit - 1] == .confirmLoaded)
        #expect(actions[commit - 2] == .set(.target, .stop))
        let running = try #require(actions.firstIndex(of: .set(.target, .running)))
        #expect(running > commit)
        if let reset = actions.firstIndex(of: .reset(.source)) { #expect(reset > running) }
    }

    @Test(
        "every SET of a plan is a path of the kernel's from the one before",
        arguments: NamedPlan.all
    )
    func setsArePaths(named: NamedPlan) throws {
        var states: [Side: DeviceState] = [.source: .running, .target: .running]
        for step in named.plan.steps {
            guard case .set(let side, let target) = step.action else { continue }
            let flags = side == .source ? named.plan.sourceFlags : named.plan.targetFlags
            let from = try #require(states[side])
            let path = try MigrationStateMachine.path(from: from, to: target, flags: flags)
            #expect(!path.arcs.isEmpty)
            states[side] = target
        }
    }

    @Test("a reset resets, and nothing else")
    func reset() {
        #expect(TransferPlan.reset.steps.map(\.action) == [.reset(.source)])
        #expect(!TransferPlan.reset.hasSource)
        #expect(!TransferPlan.reset.hasCommit)
    }

    @Test("every action has a name of its own in the journal")
    func names() {
        let actions: [TransferAction] = [
            .set(.source, .stop), .verifyImage, .createImage, .preCopyRound, .drain, .load,
            .confirmLoaded, .sealImage, .commit, .abort(Problem(.cancelled, "")), .detach(.source),
            .reset(.source), .close(.source), .discardImage,
        ]
        #expect(Set(actions.map(\.name)).count == actions.count)
    }
}
