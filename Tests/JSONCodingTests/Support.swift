import JSONCoding

func encoded(_ value: some Encodable) throws -> String {
    String(decoding: try JSONWriter.encode(value), as: UTF8.self)
}

func decoded<T: Decodable>(
    _ type: T.Type,
    _ text: String,
    _ unknownFields: JSONReader.UnknownFields = .refuse
) throws(JSONProblem) -> T {
    try JSONReader.decode(type, from: Array(text.utf8), unknownFields: unknownFields)
}

/// The problem of reading a text, if there is one.
func problem<T: Decodable>(
    _ type: T.Type,
    _ text: String,
    _ unknownFields: JSONReader.UnknownFields = .refuse
) -> JSONProblem? {
    problem(type, Array(text.utf8), unknownFields)
}

func problem<T: Decodable>(
    _ type: T.Type,
    _ bytes: [UInt8],
    _ unknownFields: JSONReader.UnknownFields = .refuse
) -> JSONProblem? {
    do {
        _ = try JSONReader.decode(type, from: bytes, unknownFields: unknownFields)
        return nil
    } catch {
        return error
    }
}

struct Device: Codable, Equatable {
    var id: String
    var stopCopyBytes: Int
    var numaNode: Int?
    var runningP2P: Bool
    var holderIDs: [Int]
    var labels: [String: String]

    static let sample = Device(
        id: "sim-0",
        stopCopyBytes: 4096,
        numaNode: nil,
        runningP2P: true,
        holderIDs: [7, 8],
        labels: ["keptAsIs": "x", "a_b": "y"]
    )
    static let sampleText = """
        {"id":"sim-0","stop_copy_bytes":4096,"running_p2p":true,"holder_ids":[7,8],\
        "labels":{"a_b":"y","keptAsIs":"x"}}
        """
}

struct Job: Codable, Equatable {
    var jobID: String
    var devices: [Device]
    var action: Action
    var phase: Phase

    enum Action: Codable, Equatable {
        case saveAll(imageID: String, after: Int?)
        case reset
        case pair(String, Int)
    }

    enum Phase: String, Codable, CaseIterable {
        case preCopy = "pre_copy"
        case stopCopy = "stop_copy"
    }

    static let sample = Job(
        jobID: "j1",
        devices: [.sample],
        action: .saveAll(imageID: "i1", after: nil),
        phase: .preCopy
    )
    static let sampleText = """
        {"job_id":"j1","devices":[\(Device.sampleText)],\
        "action":{"save_all":{"image_id":"i1"}},"phase":"pre_copy"}
        """
}
