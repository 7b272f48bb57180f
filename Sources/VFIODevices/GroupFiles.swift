internal import Glibc
internal import MigrationCore
internal import SystemIO

/// An open group, and the container it is in.
struct GroupFiles: Sendable {
    let group: GroupFile
    let container: ContainerFile

    init(group: GroupFile, container: ContainerFile) {
        self.group = group
        self.container = container
    }

    /// Opens a group and puts it into a container: another group's, or a new one.
    init(
        opening path: String,
        containerPath: String,
        joining companion: ContainerFile?
    ) throws(SessionRefusal) {
        let group = GroupFile(
            try attempting(.openGroup) { () throws(Errno) in
                try FileDescriptor(opening: path, O_RDWR)
            }
        )
        guard try attempting(.groupStatus, group.isViable) else { throw .notViable }
        let container =
            if let companion { companion } else { try ContainerFile(opening: containerPath) }
        try attempting(.setContainer) { () throws(Errno) in try group.join(container) }
        if companion == nil { try attempting(.setIOMMU, container.setIOMMU) }
        self.init(group: group, container: container)
    }
}
