import ArgumentParser
import Foundation
import MigrationCore
import Testing
import VFIODevices

@testable import ferryd

@Suite("What the daemon is told")
struct ConfigurationTests {
    private func configuration(
        file: String,
        _ arguments: String...
    ) throws -> DaemonConfiguration {
        let path = NSTemporaryDirectory() + "ferry-\(UUID().uuidString).json"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(file.utf8).write(to: URL(filePath: path))
        return try DaemonConfiguration(arguments: Ferryd.parse(["--config", path] + arguments))
    }

    @Test("vfio-user devices are those of the command line, or else of the file")
    func vfioUser() throws {
        let file = #"{"vfio_user":["a=/run/a","b=/run/b"]}"#
        #expect(
            try configuration(file: file).vfioUserSockets.map(\.path) == ["/run/a", "/run/b"]
        )
        let told = try configuration(file: file, "--vfio-user", "c=/c", "--vfio-user", "d=/d")
        #expect(told.vfioUserSockets.map(\.device.text) == ["vfiouser-c", "vfiouser-d"])
        #expect(try configuration(file: "{}").vfioUserSockets.isEmpty)
    }

    @Test("a wrong one is refused wherever it stands")
    func vfioUserRefused() throws {
        for work in [
            { try configuration(file: #"{"vfio_user":["a=run/a"]}"#) },
            { try configuration(file: "{}", "--vfio-user", "a=run/a") },
        ] {
            let problem = #expect(throws: Problem.self) { try work() }
            #expect(problem?.code == .invalidField)
            #expect(problem?.detail == #"vfio_user has "a=run/a": a path begins with /."#)
        }
        let shape = #expect(throws: Problem.self) {
            try configuration(file: #"{"vfio_user":"a=/a"}"#)
        }
        #expect(shape?.detail.contains("/vfio_user") == true)
    }
}
