/// An open file that several calls use at once: it is closed when the last of them lets go.
///
/// Whoever closes early drops only its own reference, so a call that is still under way in another
/// thread never meets a number the kernel gave to another file meanwhile.
package final class SharedDescriptor: Sendable {
    package let descriptor: FileDescriptor

    package init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
}
