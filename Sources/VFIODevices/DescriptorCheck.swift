internal import MigrationCore
internal import MigrationPorts
internal import SystemIO

/// Makes sure that descriptors somebody handed in are what they are said to be.
///
/// A wrong one would let a program on the host make ferryd reset or move a device that is not the
/// program's.
struct DescriptorCheck {
    let device: DeviceID
    /// The number of the device's own node; nil when it has none.
    let cdev: DeviceNumber?
    /// The number of `/dev/iommu`; nil when this host has none.
    let iommu: DeviceNumber?
    /// The number of the node of the device's group; nil when it has none.
    let group: DeviceNumber?
    /// The number of `/dev/vfio/vfio`; nil when this host has no containers.
    let container: DeviceNumber?

    /// What was handed in, by descriptors of our own.
    enum Checked: Sendable {
        case files(KernelSession.Files)
        /// Only asking the group for the device can tell whether it is in a container.
        case group(GroupFiles)
    }

    /// The descriptors by the way they came, or `invalid-field`.
    func checked(_ descriptors: consuming DeviceDescriptors) throws(Problem) -> Checked {
        switch descriptors.path {
        case .cdev(let pageTableID): .files(try files(descriptors, pageTableID))
        case .group: .group(try groupFiles(descriptors))
        }
    }

    private func files(
        _ descriptors: borrowing DeviceDescriptors,
        _ pageTableID: UInt32?
    ) throws(Problem) -> KernelSession.Files {
        guard let cdev, identity(descriptors.first) == .characterDevice(cdev) else {
            throw refusal("The first descriptor is not the character device of \(device).")
        }
        guard let iommu, identity(descriptors.second) == .characterDevice(iommu) else {
            throw refusal("The second descriptor is no iommufd.")
        }
        let file = DeviceFile(try owned(descriptors.first))
        let space = AddressSpace.iommufd(
            IOMMUFile(try owned(descriptors.second)),
            pageTableID: pageTableID
        )
        try answers(.information, "\(device) is open, but not bound to an iommufd.", file.info)
        return KernelSession.Files(device: file, space: space)
    }

    private func groupFiles(
        _ descriptors: borrowing DeviceDescriptors
    ) throws(Problem) -> GroupFiles {
        guard let group, identity(descriptors.first) == .characterDevice(group) else {
            throw refusal("The first descriptor is not the IOMMU group of \(device).")
        }
        guard let container, identity(descriptors.second) == .characterDevice(container) else {
            throw refusal("The second descriptor is no VFIO container.")
        }
        let files = GroupFiles(
            group: GroupFile(try owned(descriptors.first)),
            container: ContainerFile(try owned(descriptors.second))
        )
        // Somebody may have the name of a node, and not have it open.
        try answers(.groupStatus, "The group's descriptor is no open group.", files.group.isViable)
        try answers(
            .apiVersion,
            "The container's descriptor is no open container.",
            files.container.apiVersion
        )
        return files
    }

    /// Makes a call that only an open file of its kind answers; EINVAL means what `invalid` says.
    private func answers<Answer>(
        _ operation: KernelFault.Operation,
        _ invalid: String,
        _ call: () throws(Errno) -> Answer
    ) throws(Problem) {
        do {
            _ = try call()
        } catch {
            var problem = refusal(
                error == .invalid
                    ? invalid
                    : "\(device) does not answer \(operation.rawValue): \(error.name)."
            )
            problem.facts.operation = operation.rawValue
            problem.facts.errno = error
            throw problem
        }
    }

    /// The same open file by a descriptor of our own, which is close-on-exec.
    private func owned(
        _ descriptor: borrowing FileDescriptor
    ) throws(Problem) -> FileDescriptor {
        do throws(Errno) {
            return try descriptor.duplicate()
        } catch {
            throw OpenDiagnosis.problem(
                KernelFault(operation: .duplicate, errno: error),
                on: device
            )
        }
    }

    private func identity(_ descriptor: borrowing FileDescriptor) -> FileIdentity? {
        try? descriptor.identity()
    }

    private func refusal(_ detail: String) -> Problem {
        Problem(.invalidField, detail, Problem.Facts(device: device))
    }
}
