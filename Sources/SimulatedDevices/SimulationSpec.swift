package import MigrationCore

/// A number of equal simulated devices: `PROFILE[:key=value,…]`.
///
///     mlx5:count=2,state=64MiB,dirty=20MiB,arc=5ms,seed=7
///     qat:fault=arc:STOP-STOP_COPY:EIO:1
package struct SimulationSpec: Hashable, Sendable {
    package var profile: DeviceProfile
    package var count: Int
    package var stateByteCount: UInt64
    package var dirtyBytesPerSecond: UInt64
    package var arcLatency: Duration
    package var seed: UInt64
    package var faults: [Fault]

    package init(
        _ profile: DeviceProfile,
        count: Int = 1,
        stateByteCount: UInt64? = nil,
        dirtyBytesPerSecond: UInt64 = 0,
        arcLatency: Duration = .zero,
        seed: UInt64 = 1,
        faults: [Fault] = []
    ) {
        self.profile = profile
        self.count = count
        self.stateByteCount = stateByteCount ?? profile.defaultStateByteCount
        self.dirtyBytesPerSecond = dirtyBytesPerSecond
        self.arcLatency = arcLatency
        self.seed = seed
        self.faults = faults
    }

    static let countRange = 1...1024
    /// At least two words, so that corruption shows; at most what a list of pages can stand for.
    static let stateRange: ClosedRange<UInt64> = 16...(1 << 40)
    static let dirtyRange: ClosedRange<UInt64> = 0...(1 << 40)
    static let arcRange: ClosedRange<Duration> = .zero ... .seconds(3600)
    static let faultLimit = 64
    static let textLimit = 4096

    /// Reads a specification.
    ///
    /// Throws `invalid-field`, naming the key at fault.
    package static func parse(_ text: String) throws(Problem) -> SimulationSpec {
        guard text.utf8.count <= textLimit else {
            throw Problem(.invalidField, "a simulation is at most \(textLimit) bytes of text")
        }
        let name = text.prefix { $0 != ":" }
        guard let profile = DeviceProfile.named(name) else {
            let names = DeviceProfile.all.map(\.name).joined(separator: ", ")
            throw Problem(
                .invalidField,
                "there is no simulated profile \(SimulationValue.quoted(name)); there are \(names)"
            )
        }
        var spec = SimulationSpec(profile)
        guard name.endIndex != text.endIndex else { return spec }
        var seen: Set<String> = []
        let settings = text[text.index(after: name.endIndex)...]
        for setting in settings.split(separator: ",", omittingEmptySubsequences: false) {
            guard let equals = setting.firstIndex(of: "=") else {
                throw Problem(
                    .invalidField,
                    "\(SimulationValue.quoted(setting)) in a simulation is not key=value"
                )
            }
            let key = String(setting[..<equals])
            guard key == "fault" || seen.insert(key).inserted else {
                throw Problem(
                    .invalidField,
                    "the key \(SimulationValue.quoted(key)) stands twice in a simulation"
                )
            }
            try spec.set(key, to: setting[setting.index(after: equals)...])
        }
        return spec
    }

    private mutating func set(_ key: String, to value: Substring) throws(Problem) {
        switch key {
        case "count":
            count = try Self.required(
                SimulationValue.number(value).flatMap { Int(exactly: $0) }
                    .flatMap { Self.countRange.contains($0) ? $0 : nil },
                key,
                value,
                "a whole number from 1 to 1024"
            )
        case "state":
            stateByteCount = try Self.required(
                SimulationValue.byteCount(value).flatMap {
                    Self.stateRange.contains($0) && $0 % 8 == 0 ? $0 : nil
                },
                key,
                value,
                "bytes in multiples of 8 from 16 to 1024GiB, or with KiB, MiB, GiB"
            )
        case "dirty":
            dirtyBytesPerSecond = try Self.required(
                SimulationValue.byteCount(value).flatMap {
                    Self.dirtyRange.contains($0) ? $0 : nil
                },
                key,
                value,
                "bytes per second up to 1024GiB, or with KiB, MiB, GiB"
            )
        case "arc":
            arcLatency = try Self.required(
                SimulationValue.duration(value).flatMap { Self.arcRange.contains($0) ? $0 : nil },
                key,
                value,
                "a duration up to 3600s with its unit: ns, us, ms, s"
            )
        case "seed":
            seed = try Self.required(
                SimulationValue.number(value),
                key,
                value,
                "a whole number below 2^64"
            )
        case "fault":
            guard faults.count < Self.faultLimit else {
                throw Problem(.invalidField, "a simulation has at most \(Self.faultLimit) faults")
            }
            do throws(Problem) {
                faults.append(try Fault.parse(value))
            } catch {
                throw Problem(.invalidField, "in the key \"fault\" of a simulation \(error.detail)")
            }
        default:
            throw Problem(
                .invalidField,
                "there is no key \(SimulationValue.quoted(key)) in a simulation; "
                    + "there are count, state, dirty, arc, seed, fault"
            )
        }
    }

    private static func required<Value>(
        _ value: Value?,
        _ key: String,
        _ text: Substring,
        _ expected: String
    ) throws(Problem) -> Value {
        guard let value else {
            throw Problem(
                .invalidField,
                "the key \"\(key)\" of a simulation is \(expected), not \(SimulationValue.quoted(text))"
            )
        }
        return value
    }
}
