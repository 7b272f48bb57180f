import JSONCoding
import MigrationCore

/// The journal of a job whose daemon died, a line of JSON each; the first byte says which kind the
/// job is of.
///
/// Whatever it says, the restart ends the job, and never lets two sides run.
enum JournalFuzz {
    private static let devices = ["a", "b", "c", "d"].compactMap { DeviceID($0) }

    static func run(_ input: [UInt8]) {
        guard let first = input.first, let work = work(first) else { return }
        var facts = JournalFacts()
        for line in input.dropFirst().split(separator: UInt8(ascii: "\n")) {
            let entry = try? JSONReader.decode(
                JournalEntry.self,
                from: Array(line),
                unknownFields: .ignore
            )
            if let entry { facts.note(entry) }
        }
        for mayOwnersLive in [false, true] {
            let (state, mayRun) = work.recovered(facts, mayOwnersLive: mayOwnersLive)
            promised(state.isTerminal, "the job ends")
            if facts.isCommitted {
                promised(mayRun != .source, "no source runs behind a commit")
            } else {
                promised(mayRun != .target, "no target runs before one")
            }
            if case .succeeded = state {
                promised(facts.isImageSealed, "only a save that is whole succeeded")
            }
            if !facts.isCommitted, facts.isIncomplete, !facts.isImageSealed {
                promised(mayRun == .unknown, "who cannot be known is not guessed")
            }
        }
        for device in devices {
            for raw in [1, 3, 5, 7] {
                let flags = MigrationFlags(rawValue: UInt64(raw))
                promised(
                    !facts.possibleStates(of: device, flags: flags).isEmpty,
                    "a device is somewhere"
                )
            }
        }
    }

    private static func work(_ byte: UInt8) -> JobSpec.Work? {
        guard devices.count == 4, let image = ImageID("i") else { return nil }
        switch byte % 4 {
        case 0: return .save(sources: [devices[0]], after: byte & 4 == 0 ? .run : .stop)
        case 1:
            return .restore(
                image: image,
                members: [JobSpec.RestoreMember(source: nil, target: devices[1])],
                acceptCopy: true,
                discard: true
            )
        case 2:
            return .migrate(
                pairs: [
                    JobSpec.DevicePair(source: devices[0], target: devices[1]),
                    JobSpec.DevicePair(source: devices[2], target: devices[3]),
                ],
                discard: false
            )
        default: return .reset(devices: [devices[0]])
        }
    }
}
