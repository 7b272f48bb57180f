import ArgumentParser
import MigrationCore
import SimulatedDevices

/// `ferry-simd inject PATH FAULT…`: makes devices of a host that runs fail from now on.
struct Inject: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make devices of a host that runs fail.",
        discussion: """
            OPERATION:OUTCOME:N[+][@DEVICE], for one device or for all. N counts from now on; with \
            + every later one fails too.

            OPERATION: open, reset, detach, get, data_size, read, write, precopy_info, \
            arc:FROM-TO (names of states, or *).
            OUTCOME: the name of an errno; ERROR; ASYNC_ERROR; DELAY=5ms; HANG; SHORT=512; EOF.
            """
    )

    @Argument(help: "The socket of the host.")
    var path: String

    @Argument(help: "Such as arc:STOP-STOP_COPY:EIO:1@sim-0; may be given several times.")
    var faults: [String]

    func run() throws {
        let connection = HostConnection(path: path)
        do throws(Problem) {
            for fault in faults { try connection.inject(fault) }
        } catch {
            throw FerrySimd.fail(error)
        }
    }
}
