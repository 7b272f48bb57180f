internal import CSystem

/// An open file that several calls use at once: it is closed when the last of them lets go.
///
/// Whoever closes early drops only its own reference, so a call that is still under way in another
/// thread never meets a number the kernel gave to another file meanwhile.
package final class SharedDescriptor: Sendable {
    package let descriptor: FileDescriptor

    package init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }

    /// Whether both are one open file, by whatever number: `KCMP_FILE`, by which a service manager
    /// tells it too.
    ///
    /// False where the kernel does not say.
    package func isSameOpenFile(as other: SharedDescriptor) -> Bool {
        self === other || ferry_same_open_file(descriptor.raw, other.descriptor.raw) == 1
    }
}
