import APISchema
import Foundation
import JSONCoding
import JobEngine
import MigrationCore
import Testing

@testable import ManagementAPI

@Suite("The fields of lists are those of their documents")
struct FieldTableTests {
    let contract: Contract

    init() throws { contract = try Contract() }

    /// A table held against the contract, whatever its items are.
    private func check(_ table: FieldTable<some Any>, schema: String) throws {
        #expect(table.members == table.members.filter { contract.hasMember($0, schema) })
        #expect(Set(table.members) == Set(contract.fields(ofSchema: schema).map(\.name)))
        for field in table.fields {
            let told = try #require(
                contract.shape(at: field.name, ofSchema: schema),
                "\(schema).\(field.name)"
            )
            let type: FieldType? =
                switch told.shape {
                case .string: told.isTime ? .time : .text
                case .integer: .number
                case .boolean: .flag
                case .list(.string): .set
                default: nil
                }
            #expect(field.type == type, "\(schema).\(field.name)")
        }
        let row = contract.description(ofParameter: "Filter").split(separator: "\n")
            .first { $0.hasPrefix("| \(table.list) |") }
        let names = row?.split(separator: "`").filter { !$0.contains("|") && $0 != ", " }
        #expect(names.map { Set($0.map(String.init)) } == Set(table.fields.map(\.name)))
        #expect(Set(table.sortable).isSubset(of: table.fields.map(\.name)))
        #expect(Set(table.fields.map(\.name)).count == table.fields.count)
    }

    @Test("each is in the contract, of the type it has there")
    func contractAgrees() throws {
        try check(DeviceFields.table, schema: "Device")
        try check(SessionFields.table, schema: "Session")
        try check(JobFields.table, schema: "Job")
        try check(ImageFields.table, schema: "Image")
        try check(EventFields.table, schema: "Event")
        try check(AuditFields.table, schema: "AuditRecord")
    }

    /// What a document has at a path, as a field would say it.
    private func value(
        at path: String,
        in document: Any?,
        as type: FieldType
    ) -> FieldValue? {
        var places = [document]
        for part in path.split(separator: ".") {
            places = places.flatMap { ($0 as? [Any])?.map(Optional.some) ?? [$0] }
                .map { ($0 as? [String: Any])?[String(part)] }
        }
        let values = places.compactMap { $0 }
        switch type {
        case .set: return .set(values.flatMap { $0 as? [String] ?? [$0 as? String ?? ""] })
        case .text: return (values.first as? String).map(FieldValue.text)
        case .number: return (values.first as? Int64).map(FieldValue.number)
        case .time:
            return (values.first as? String).flatMap { Timestamp(rfc3339: $0) }
                .map(FieldValue.time)
        case .flag: return (values.first as? Bool).map(FieldValue.flag)
        }
    }

    /// Names of fields that some item had.
    private func check<Item>(
        _ table: FieldTable<Item>,
        _ item: Item,
        _ document: some Encodable,
        keys: [String] = []
    ) throws -> Set<String> {
        let text = try JSONWriter.encode(document)
        let object = try JSONSerialization.jsonObject(with: Data(text))
        #expect(Set((object as? [String: Any] ?? [:]).keys).isSubset(of: table.members))
        var present: Set<String> = []
        let names = table.fields.map(\.name).filter { !$0.hasSuffix("*") } + keys
        for name in names {
            let (field, key) = try #require(table.field(name))
            let shown = value(at: name, in: object, as: field.type)
            #expect(field.value(item, key) == shown, "\(table.list) \(name)")
            if shown != nil, shown != .set([]) { present.insert(name) }
        }
        return present
    }

    @Test("each says what the document of the same value shows")
    func documentsAgree() async throws {
        let world = try EngineUnderTest("mlx5:count=3,state=1MiB,seed=7", "plain:count=1")
        _ = try await world.job(
            #"{"kind":"migrate","id":"m","devices":[{"source":"sim-0","target":"sim-1"}]}"#
        )
        let saved = try await world.job(
            """
            {"kind":"save","id":"s","devices":[{"source":"sim-2"}],"labels":{"ticket":"OPS-1"}}
            """
        )
        #expect(saved.state == "succeeded")
        var seen: Set<String> = []
        let engine = world.engine
        for view in engine.devices() {
            seen.formUnion(try check(DeviceFields.table, view, DeviceDTO(view)))
        }
        #expect(seen.isSuperset(of: ["migration.flags", "session", "vfio_state", "driver"]))
        seen = []
        for session in engine.sessions() {
            seen.formUnion(try check(SessionFields.table, session, SessionDTO(session)))
        }
        #expect(seen.isSuperset(of: ["closed_at", "note", "reproducible"]))
        seen = []
        for name in ["m", "s"] {
            let view = try engine.job(try #require(JobID(name)))
            seen.formUnion(
                try check(JobFields.table, view, JobDTO(view), keys: ["labels.ticket", "labels.x"])
            )
        }
        #expect(seen.isSuperset(of: ["devices.device", "after", "image", "labels.ticket"]))
        let image = try #require(engine.images().first)
        #expect(
            try check(ImageFields.table, image, ImageDTO(image))
                .isSuperset(of: ["members.device", "size_bytes"])
        )
    }

    @Test("each says what a kernel device's document shows")
    func kernelDevice() throws {
        var record = DeviceRecord(
            id: try #require(DeviceID("pci-0000:41:00.3")),
            backend: .kernel,
            bus: .pci,
            address: "0000:41:00.3",
            support: .stateStream([.stopCopy, .p2p])
        )
        record.vendorID = 0x15B3
        record.deviceID = 0x101E
        record.numaNode = 1
        record.iommuGroup = "37"
        record.cdevPath = "/dev/vfio/devices/vfio3"
        record.groupPath = "/dev/vfio/37"
        record.deviceAPI = "vfio-pci"
        record.names = HardwareNames(vendor: "Mellanox", device: "VF", deviceClass: "Ethernet")
        record.supportSource = .inferred
        var pci = PCIFacts()
        pci.classCode = 0x02_0000
        pci.role = .virtual(of: "0000:41:00.0")
        record.pci = pci
        record.isolation = IsolationFacts(kind: "DMA-FQ", siblings: [])
        record.mediated = MediatedFacts(parent: "parent", type: "type", typeName: nil)
        record.subchannel = SubchannelFacts(
            address: "0.0.0000",
            deviceNumber: nil,
            paths: [],
            installedMask: 0,
            availableMask: 0,
            operationalMask: 0
        )
        record.matrix = MatrixFacts(queues: ["05.0004"], guestQueues: [], controlDomains: [])
        record.socket = .missing
        record.candidate = CandidateFacts(driver: "mlx5_vfio_pci", steps: [])
        let view = DeviceView(
            record: record,
            session: nil,
            lockedBy: JobID("j"),
            lastState: .unknown(9)
        )
        let seen = try check(DeviceFields.table, view, DeviceDTO(view))
        #expect(
            seen.isSuperset(
                of: [
                    "vendor_id", "device_id", "numa_node", "iommu_group", "cdev", "group",
                    "vendor_name", "device_name", "device_api", "isolation.viable",
                    "pci.class_code", "pci.class_name", "pci.physical_function", "mdev.parent",
                    "mdev.type", "ccw.subchannel", "ap.queues", "vfio_user.socket",
                    "candidate.driver",
                    "candidate.kind",
                    "locked_by",
                    "migration.source", "vfio_state",
                ]
            )
        )
    }

    @Test("each says what the document of a change that failed shows")
    func failedChange() throws {
        let device = try #require(DeviceID("pci-0000:41:00.3"))
        var record = AuditRecord(
            id: try #require(AuditID("aud-1")),
            action: .change(.bind(driver: "vfio-pci", isForced: true)),
            subject: device,
            requester: Requester(name: "uid:0", requestID: "r-1"),
            startedAt: Timestamp(millisecondsSinceEpoch: 1)
        )
        record.before = DevicePlace(driver: "nvme")
        record.after = record.before
        let facts = Problem.Facts(device: device, operation: "write of /sys/x", errno: .busy)
        record.end(
            .failed(Problem(.kernelRefused, "x", facts)),
            at: Timestamp(millisecondsSinceEpoch: 2)
        )
        let seen = try check(AuditFields.table, record, AuditRecordDTO(record))
        #expect(seen == Set(AuditFields.table.fields.map(\.name)))
    }

    @Test("each says what a failed and stuck job's document shows")
    func troubledJob() throws {
        let device = try #require(DeviceID("sim-0"))
        var job = Job(
            id: try #require(JobID("j")),
            spec: JobSpec(work: .reset(devices: [device])),
            requestedBy: "uid:0",
            createdAt: Timestamp(millisecondsSinceEpoch: 1)
        )
        job.state = .failed(Problem(.deviceFailed, "x"))
        let view = JobView(
            job: job,
            progress: nil,
            stuckIn: StuckArc(device: device, from: nil, to: .stop, nanoseconds: 1),
            switchoverBlockedBy: ["gate"],
            isCancellable: true
        )
        let seen = try check(JobFields.table, view, JobDTO(view))
        #expect(
            seen.isSuperset(of: ["error.code", "stuck_in.device", "switchover.blocked_by"])
        )
    }
}

extension Contract {
    fileprivate func hasMember(_ name: String, _ schema: String) -> Bool {
        shape(at: name, ofSchema: schema) != nil
    }
}

extension EngineUnderTest {
    /// Runs a job to its end.
    func job(_ request: String) async throws -> JobDTO {
        var job = try await ask("POST", "/v1/jobs", body: request, for: JobDTO.self, status: 202)
        while !job.isFinished {
            job = try await ask(
                "GET",
                "/v1/jobs/\(job.id)",
                "after_generation=\(job.generation)&wait=30",
                for: JobDTO.self
            )
        }
        return job
    }
}
