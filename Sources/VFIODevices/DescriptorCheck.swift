internal import MigrationCore
internal import MigrationPorts
internal import SystemIO

/// Makes sure that descriptors somebody handed in are what they are said to be.
///
/// A wrong one would let a program on the host make ferryd reset or move a device that is not the
/// program's.
struct DescriptorCheck {
    let device: DeviceID
    /// The number of the device's own node.
    let cdev: DeviceNumber
    /// The number of `/dev/iommu`; nil when this host has none.
    let iommu: DeviceNumber?

    /// The descriptors as a session holds them, or `invalid-field`.
    func files(_ descriptors: consuming DeviceDescriptors) throws(Problem) -> KernelSession.Files {
        guard identity(descriptors.device) == .characterDevice(cdev) else {
            throw refusal(
                "The first descriptor is not the character device of \(device). A descriptor that "
                    + "came from a VFIO group cannot be taken over."
            )
        }
        guard let iommu, identity(descriptors.iommufd) == .characterDevice(iommu) else {
            throw refusal("The second descriptor is no iommufd.")
        }
        let files = try owned(descriptors)
        do {
            _ = try files.device.info()
        } catch {
            var problem = refusal(
                error == .invalid
                    ? "\(device) is open, but not bound to an iommufd."
                    : "\(device) does not answer VFIO_DEVICE_GET_INFO: \(error.name)."
            )
            problem.facts.operation = KernelFault.Operation.information.rawValue
            problem.facts.errno = error
            throw problem
        }
        return files
    }

    /// The same open files by descriptors of our own, which are close-on-exec.
    private func owned(
        _ descriptors: borrowing DeviceDescriptors
    ) throws(Problem) -> KernelSession.Files {
        do throws(Errno) {
            return KernelSession.Files(
                device: DeviceFile(try descriptors.device.duplicate()),
                iommu: IOMMUFile(try descriptors.iommufd.duplicate()),
                pageTableID: descriptors.pageTableID
            )
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
