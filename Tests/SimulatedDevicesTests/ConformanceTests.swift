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

    /// The big ones smaller, so that the suite stays quick in a debug build.
    private func size(_ profile: String) -> String {
        ["mlx5", "xe"].contains(profile) ? ",state=2097216" : ""
    }
}
