import Foundation
import MigrationCore
import Testing

@Suite("States, flags and kinds as the kernel numbers them")
struct DeviceStateTests {
    /// `enum vfio_device_mig_state`, reference A.4.
    static let kernelNumbers: [(UInt32, String)] = [
        (0, "ERROR"), (1, "STOP"), (2, "RUNNING"), (3, "STOP_COPY"), (4, "RESUMING"),
        (5, "RUNNING_P2P"), (6, "PRE_COPY"), (7, "PRE_COPY_P2P"),
    ]

    @Test("the numbers 0 to 7 are the kernel's states", arguments: kernelNumbers)
    func numbersAreTheKernels(number: UInt32, name: String) throws {
        let state = try #require(DeviceState(rawValue: number))
        #expect(state.kernelName == name)
        #expect(DeviceState(kernelName: name) == state)
        #expect(ReportedState(kernelNumber: number) == .known(state))
        #expect(ReportedState(kernelNumber: number).kernelName == name)
    }

    @Test("every other number is a value, not an error", arguments: [8, 9, 255, UInt32.max])
    func unknownNumbersAreKept(number: UInt32) {
        #expect(DeviceState(rawValue: number) == nil)
        #expect(ReportedState(kernelNumber: number) == .unknown(number))
        #expect(ReportedState(kernelNumber: number).kernelName == "UNKNOWN(\(number))")
    }

    @Test(
        "a name the kernel does not have is no state",
        arguments: ["", "running", "RUNNING ", "8"]
    )
    func strangeNamesAreNoState(name: String) {
        #expect(DeviceState(kernelName: name) == nil)
    }

    @Test("only these states hold a stream, and only those let a device act")
    func streamsAndActing() {
        let withStream = DeviceState.allCases.filter(\.hasStream)
        #expect(withStream == [.stopCopy, .resuming, .preCopy, .preCopyP2P])
        let acting = DeviceState.allCases.filter(\.canAct)
        #expect(acting == [.running, .runningP2P, .preCopy, .preCopyP2P])
    }

    @Test("a state is written by its lower case name and nothing else is read as one")
    func codingByName() throws {
        for state in DeviceState.allCases {
            let data = try JSONEncoder().encode([state])
            #expect(String(decoding: data, as: UTF8.self) == "[\"\(state.name)\"]")
            #expect(state.name == state.kernelName.lowercased())
            #expect(try JSONDecoder().decode([DeviceState].self, from: data) == [state])
        }
        for text in ["[\"STOP\"]", "[\"\"]", "[1]", "[null]", "[\"stopcopy\"]"] {
            #expect(throws: DecodingError.self) {
                try JSONDecoder().decode([DeviceState].self, from: Data(text.utf8))
            }
        }
    }
}

@Suite("Migration flags")
struct MigrationFlagsTests {
    @Test("the uAPI's bits are 1, 2 and 4, and four sets of them mean something")
    func bits() {
        #expect(MigrationFlags.stopCopy.rawValue == 1)
        #expect(MigrationFlags.p2p.rawValue == 2)
        #expect(MigrationFlags.preCopy.rawValue == 4)
        #expect(MigrationFlags.meaningful.map(\.rawValue) == [1, 3, 5, 7])
    }

    @Test("every bit has a name, in the order of the bits")
    func namesOfEveryBit() {
        #expect(MigrationFlags(rawValue: 0).names == [])
        #expect(MigrationFlags(rawValue: 7).names == ["stop_copy", "p2p", "pre_copy"])
        #expect(MigrationFlags(rawValue: 1 << 63 | 1 << 3).names == ["bit_3", "bit_63"])
        let all = MigrationFlags(rawValue: .max).names
        #expect(all.count == 64)
        #expect(Set(all).count == 64)
    }

    /// The kernel's `state_flags_table`: every state but RUNNING and ERROR asks for STOP_COPY.
    static let needs: [(DeviceState, UInt64)] = [
        (.error, 0), (.running, 0), (.stop, 1), (.stopCopy, 1), (.resuming, 1), (.runningP2P, 3),
        (.preCopy, 5), (.preCopyP2P, 7),
    ]

    @Test("a state exists when all the flags it needs are set", arguments: needs)
    func statesNeedFlags(state: DeviceState, needed: UInt64) {
        for rawValue in 0...UInt64(15) {
            let flags = MigrationFlags(rawValue: rawValue)
            #expect(flags.supports(state) == (rawValue & needed == needed), "flags \(rawValue)")
        }
        #expect(MigrationFlags(rawValue: .max).supports(state))
    }
}

@Suite("Kinds of devices")
struct DeviceKindTests {
    /// Reference D: which steps of the general flow are no-ops for a kind.
    static let table: [(DeviceKind, Set<FlowStep>)] = [
        (.pci, [.preCopy, .p2pGrace, .stop, .stopCopy, .resume]),
        (.platform, [.preCopy, .p2pGrace, .stop, .stopCopy, .resume]),
        (.amba, [.preCopy, .p2pGrace, .stop, .stopCopy, .resume]),
        (.fslMC, [.preCopy, .p2pGrace, .stop, .stopCopy, .resume]),
        (.cdx, [.preCopy, .p2pGrace, .stop, .stopCopy, .resume]),
        (.ccw, [.stop, .stopCopy, .resume]),
        (.ap, [.stop]),
    ]

    @Test("every kind has a row, and the row says its steps")
    func rowsAreTheReferences() {
        #expect(Set(Self.table.map(\.0)) == Set(DeviceKind.allCases))
        for (kind, steps) in Self.table { #expect(kind.steps == steps, "\(kind)") }
    }

    @Test("a kind uses the flags its steps need and passes on every bit it has no word for")
    func usableFlags() {
        let everything = MigrationFlags(rawValue: .max)
        #expect(DeviceKind.pci.usable(everything) == everything)
        #expect(DeviceKind.ccw.usable(everything).rawValue == UInt64.max - 6)
        #expect(DeviceKind.ap.usable(everything).rawValue == UInt64.max - 7)
        #expect(DeviceKind.ccw.usable([.stopCopy, .p2p, .preCopy]) == .stopCopy)
        #expect(DeviceKind.ap.usable([.stopCopy]) == [])
        for kind in DeviceKind.allCases {
            for flags in MigrationFlags.meaningful {
                let usable = kind.usable(flags)
                #expect(usable.isSubset(of: flags))
                #expect(kind.usable(usable) == usable)
                #expect(usable.isEmpty || MigrationFlags.meaningful.contains(usable))
            }
        }
    }

    @Test("the names of kinds are words of the API")
    func names() {
        let names = DeviceKind.allCases.map(\.rawValue)
        #expect(names == ["pci", "platform", "amba", "ccw", "ap", "fsl_mc", "cdx"])
    }
}
