import BackendConformance
import MigrationCore
import SimulatedDevices
import Testing

@Suite("Simulated devices keep what the backend port promises")
struct ConformanceTests {
    @Test(
        "every check holds on two devices of every profile",
        arguments: DeviceProfile.all.map(\.name)
    )
    func conformance(profile: String) throws {
        let first = try #require(DeviceID("sim-0"))
        let second = try #require(DeviceID("sim-1"))
        var passed = 0
        for check in BackendConformance.checks {
            let spec = try SimulationSpec.parse("\(profile):count=2,seed=7\(size(profile))")
            let bench = ConformanceBench(
                try SimulatedBackend([spec]),
                device: first,
                partner: second
            )
            switch BackendConformance.run(check, on: bench) {
            case .passed: passed += 1
            case .failed(let why): Issue.record("\(check.name): \(why)")
            case .skipped: break
            }
        }
        // A suite that skips everything would pass too.
        #expect(passed >= (profile == "plain" ? 9 : 35), "only \(passed) checks ran")
    }

    @Test("a backend that breaks a promise fails a check", arguments: BrokenPromise.allCases)
    func brokenPromises(broken: BrokenPromise) throws {
        let first = try #require(DeviceID("sim-0"))
        let second = try #require(DeviceID("sim-1"))
        var failed: [String] = []
        for check in BackendConformance.checks {
            let spec = try SimulationSpec.parse("qat:count=2,state=808,seed=7")
            let bench = ConformanceBench(
                BrokenBackend(broken, over: try SimulatedBackend([spec])),
                device: first,
                partner: second
            )
            if case .failed = BackendConformance.run(check, on: bench) { failed.append(check.name) }
        }
        #expect(!failed.isEmpty, "no check notices it")
        #expect(failed.count < BackendConformance.checks.count, "every check fails: \(failed)")
    }

    /// The big ones smaller, so that the suite stays quick in a debug build.
    private func size(_ profile: String) -> String {
        ["mlx5", "xe"].contains(profile) ? ",state=2097216" : ""
    }
}
