import Glibc

/// What can be fuzzed, one at a time: `FERRY_FUZZ_TARGET` names it.
enum FuzzTarget: String, CaseIterable {
    case json
    case routes
    case filter
    case manifest
    case archive
    case sysfs
    case journal

    /// Gives an input to the code; returns only when everything promised of it was true.
    func run(_ input: [UInt8]) {
        switch self {
        case .json: JSONFuzz.run(input)
        case .routes: RouteFuzz.run(input)
        case .filter: FilterFuzz.run(input)
        case .manifest: ManifestFuzz.run(input)
        case .archive: ArchiveFuzz.run(input)
        case .sysfs: SysfsFuzz.run(input)
        case .journal: JournalFuzz.run(input)
        }
    }

    static let chosen: Self = {
        let name = unsafe getenv("FERRY_FUZZ_TARGET").map { unsafe String(cString: $0) } ?? ""
        guard let target = Self(rawValue: name) else {
            let names = allCases.map(\.rawValue).joined(separator: ", ")
            print("FERRY_FUZZ_TARGET must be one of \(names)")
            exit(2)
        }
        return target
    }()
}

/// Ends the process, and with it the search, when something promised is not true.
func promised(
    _ isTrue: Bool,
    _ promise: String,
    file: StaticString = #file,
    line: UInt = #line
) {
    precondition(isTrue, promise, file: file, line: line)
}

/// What libFuzzer calls with every input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    FuzzTarget.chosen.run(unsafe Array(UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}
