import BackendConformance
import Glibc
import MigrationCore
import MigrationPorts
import SimulatedDevices
import VFIODevices

/// What the command line asks for.
struct Request {
    var simulations: [SimulationSpec] = []
    /// The socket of a ferry-simd.
    var host: String?
    var devices: [DeviceID] = []

    static let usage = """
        usage: ferry-conformance ID [ID2]
               ferry-conformance --simulate SPEC [--simulate SPEC]… [ID [ID2]]
               ferry-conformance --simulate host=PATH [ID [ID2]]
        Runs the conformance suite of the backend port. The devices lose what they hold.
        """

    init(arguments: some Sequence<String>) throws(Problem) {
        var rest = Array(arguments)
        while !rest.isEmpty {
            let argument = rest.removeFirst()
            if argument == "--simulate", let text = rest.first {
                rest.removeFirst()
                if text.hasPrefix("host="), host == nil {
                    host = String(text.dropFirst("host=".count))
                } else {
                    simulations.append(try SimulationSpec.parse(text))
                }
            } else if !argument.hasPrefix("-"), let id = DeviceID(argument) {
                devices.append(id)
            } else {
                throw Problem(.badRequest, Self.usage)
            }
        }
        if devices.isEmpty, !simulations.isEmpty {
            let count = simulations.reduce(0) { $0 + $1.count }
            devices = (0..<min(2, count)).compactMap { DeviceID("sim-\($0)") }
        }
        if devices.isEmpty, host != nil {
            devices = ["sim-0", "sim-1"].compactMap { DeviceID($0) }
        }
        guard host == nil || simulations.isEmpty else { throw Problem(.badRequest, Self.usage) }
        guard (1...2).contains(devices.count) else { throw Problem(.badRequest, Self.usage) }
    }

    /// The devices of a host or of this machine, which are there for every check.
    func lastingBackend() throws(Problem) -> (any DeviceBackend)? {
        if let host { return try RefilledBackend(try HostedBackend(path: host)) }
        return simulations.isEmpty ? try KernelBackend() : nil
    }

    func bench(_ lasting: (any DeviceBackend)?) throws(Problem) -> ConformanceBench {
        // Simulated devices of this process are made anew for each check.
        let backend: any DeviceBackend =
            if let lasting { lasting } else { try SimulatedBackend(simulations) }
        return ConformanceBench(
            backend,
            device: devices[0],
            partner: devices.count > 1 ? devices[1] : nil
        )
    }
}

/// Runs every check and says what became of it, a line each; whether none failed.
func run(_ request: Request) throws(Problem) -> Bool {
    let lasting = try request.lastingBackend()
    var (passed, failed, skipped) = (0, 0, 0)
    for check in BackendConformance.checks {
        // A bench of its own for each check, so that each finds content where there can be some.
        let bench = try request.bench(lasting)
        switch BackendConformance.run(check, on: bench) {
        case .passed:
            passed += 1
            print("ok \(check.name)")
        case .failed(let why):
            failed += 1
            print("not ok \(check.name): \(why)")
        case .skipped(let why):
            skipped += 1
            print("skip \(check.name): \(why)")
        }
        fflush(nil)
    }
    print("\(passed) passed, \(failed) failed, \(skipped) skipped")
    return failed == 0
}

do throws(Problem) {
    exit(try run(Request(arguments: CommandLine.arguments.dropFirst())) ? 0 : 1)
} catch {
    var message = "ferry-conformance: \(error.detail)\n"
    message.withUTF8 { text in _ = unsafe write(STDERR_FILENO, text.baseAddress, text.count) }
    exit(2)
}
