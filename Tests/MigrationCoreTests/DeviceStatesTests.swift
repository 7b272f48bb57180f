import MigrationCore
import Testing

@Suite("Where a device can be")
struct DeviceStatesTests {
    private static let everything: MigrationFlags = [.stopCopy, .p2p, .preCopy]

    @Test("a SET that failed leaves a device anywhere on its walk")
    func failedSet() {
        var states = DeviceStates(.running, flags: [.stopCopy, .p2p])
        states.didFail(toSet: .stopCopy)
        #expect(states.possible == [.running, .runningP2P, .stop, .stopCopy])
        states.didSet(.runningP2P)
        #expect(states.possible == [.runningP2P])
    }

    @Test("a second failure adds the walks from everywhere the first one led")
    func failedTwice() {
        var states = DeviceStates(.preCopyP2P, flags: Self.everything)
        states.didFail(toSet: .stopCopy)
        #expect(states.possible == [.preCopyP2P, .stopCopy])
        states.didFail(toSet: .stop)
        #expect(states.possible == [.preCopyP2P, .stopCopy, .runningP2P, .stop])
    }

    @Test("a SET the kernel refuses moves nobody")
    func refused() {
        var states = DeviceStates(.stopCopy, flags: Self.everything)
        states.didFail(toSet: .preCopy)
        states.didFail(toSet: .error)
        #expect(states.possible == [.stopCopy])
    }

    @Test("a state on the walk is no loss, any other is, and a number without a name is none")
    func fates() {
        var states = DeviceStates(.running, flags: [.stopCopy, .p2p])
        states.didFail(toSet: .stop)
        for state in DeviceState.allCases {
            let isOnTheWay = state == .running || state == .runningP2P || state == .stop
            #expect(states.fate(of: .known(state)) == (isOnTheWay ? .untouched : .lost))
        }
        #expect(states.fate(of: .unknown(8)) == .untouched)
        #expect(states.fate(of: nil) == .untouched)
    }

    @Test("a number without a name counts against every certainty until a SET works")
    func strange() {
        var states = DeviceStates(.running, flags: Self.everything)
        #expect(states.isRunning && states.canAct)
        states.didReport(.known(.stop))
        #expect(!states.isStrange)
        states.didReport(.unknown(8))
        #expect(states.isStrange && !states.isRunning && !states.canAct)
        states.didSet(.running)
        #expect(states.isRunning && states.canAct)
    }

    @Test("only RUNNING and PRE_COPY reach peers")
    func peers() {
        for state in DeviceState.allCases {
            let states = DeviceStates(state, flags: Self.everything)
            #expect(states.mayReachPeers == (state == .running || state == .preCopy))
            #expect(states.canAct == state.canAct)
        }
    }
}
