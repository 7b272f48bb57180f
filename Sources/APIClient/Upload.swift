internal import CCurl

/// Gives the body of a request bit by bit, on the thread of the call.
package protocol BodySource: AnyObject {
    /// Copies the next bytes; 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ClientProblem) -> Int
}

/// A body on its way to the server.
final class Upload {
    private let source: any BodySource
    /// Why the source could not go on.
    private(set) var failure: ClientProblem?

    init(_ source: any BodySource) { self.source = source }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        do throws(ClientProblem) {
            return try unsafe source.read(into: buffer)
        } catch {
            failure = error
            return ferry_curl_abort_reading
        }
    }
}

/// libcurl's read callback: 0 is the end of the body.
func readUpload(
    _ data: UnsafeMutablePointer<CChar>?,
    _ size: Int,
    _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let data = unsafe data, let context = unsafe context else {
        return ferry_curl_abort_reading
    }
    let upload = unsafe Unmanaged<Upload>.fromOpaque(context).takeUnretainedValue()
    let (byteCount, overflow) = size.multipliedReportingOverflow(by: count)
    guard !overflow else { return ferry_curl_abort_reading }
    return unsafe upload.read(
        into: UnsafeMutableRawBufferPointer(start: data, count: byteCount)
    )
}
