internal import CVFIO
internal import MigrationCore
internal import MigrationPorts
internal import SystemIO

/// The device ioctls on an open VFIO device descriptor.
///
/// The same numbers mean other things on container and iommufd descriptors, so each kind has a type
/// of its own.
struct DeviceFile: Sendable {
    let file: SharedDescriptor

    init(_ descriptor: consuming FileDescriptor) { self.file = SharedDescriptor(descriptor) }

    /// `VFIO_DEVICE_BIND_IOMMUFD`: once per open file; before it every other ioctl is EINVAL.
    func bind(to iommu: IOMMUFile) throws(Errno) {
        var bind = cvfio_device_bind_iommufd()
        bind.argsz = byteCount(of: bind)
        bind.iommufd = iommu.file.descriptor.raw
        try call(CVFIO_DEVICE_BIND_IOMMUFD, &bind)
    }

    /// `VFIO_DEVICE_ATTACH_IOMMUFD_PT`: to an IOAS or a hardware page table of the iommufd.
    func attach(toPageTable id: UInt32) throws(Errno) {
        var attach = cvfio_device_attach_iommufd_pt()
        attach.argsz = byteCount(of: attach)
        attach.pt_id = id
        try call(CVFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach)
    }

    /// `VFIO_DEVICE_DETACH_IOMMUFD_PT`: from its page table, whatever it is.
    func detach() throws(Errno) {
        var detach = cvfio_device_detach_iommufd_pt()
        detach.argsz = byteCount(of: detach)
        try call(CVFIO_DEVICE_DETACH_IOMMUFD_PT, &detach)
    }

    /// `VFIO_DEVICE_GET_INFO`.
    func info() throws(Errno) -> DeviceInfo {
        var info = cvfio_device_info()
        info.argsz = byteCount(of: info)
        try call(CVFIO_DEVICE_GET_INFO, &info)
        return DeviceInfo(flags: info.flags, interruptCount: info.num_irqs)
    }

    /// `VFIO_DEVICE_GET_IRQ_INFO`: whether the device has the interrupt and signals it by eventfd.
    func canSignal(_ index: UInt32) throws(Errno) -> Bool {
        var info = cvfio_irq_info()
        info.argsz = byteCount(of: info)
        info.index = index
        try call(CVFIO_DEVICE_GET_IRQ_INFO, &info)
        return info.count > 0 && info.flags & CVFIO_IRQ_INFO_EVENTFD != 0
    }

    /// `VFIO_DEVICE_SET_IRQS`: from now on the kernel signals the event for this interrupt, and no
    /// longer the one somebody armed before.
    func arm(_ index: UInt32, _ event: EventDescriptor) throws(Errno) {
        var set = cvfio_irq_set_eventfd()
        set.argsz = byteCount(of: set)
        set.flags = CVFIO_IRQ_SET_DATA_EVENTFD | CVFIO_IRQ_SET_ACTION_TRIGGER
        set.index = index
        set.count = 1
        set.eventfd = event.raw
        try call(CVFIO_DEVICE_SET_IRQS, &set)
    }

    /// `VFIO_DEVICE_RESET`.
    func reset() throws(Errno) {
        try unsafe file.descriptor.control(CVFIO_DEVICE_RESET, nil)
    }

    func call<Payload>(_ request: UInt, _ payload: inout Payload) throws(Errno) {
        try file.call(request, &payload)
    }
}

/// What `VFIO_DEVICE_GET_INFO` tells of a device.
struct DeviceInfo: Hashable, Sendable {
    let flags: UInt32
    let interruptCount: UInt32

    /// The interrupts by which the kernel speaks to the device's holder, by the device's API.
    var signals: [(signal: DeviceSignal, index: UInt32)] {
        let known: [(signal: DeviceSignal, index: UInt32)] =
            if flags & CVFIO_DEVICE_FLAG_PCI != 0 {
                [
                    (.unplugRequested, CVFIO_PCI_REQ_IRQ_INDEX),
                    (.errorSignalled, CVFIO_PCI_ERR_IRQ_INDEX),
                ]
            } else if flags & CVFIO_DEVICE_FLAG_CCW != 0 {
                [(.unplugRequested, CVFIO_CCW_REQ_IRQ_INDEX)]
            } else if flags & CVFIO_DEVICE_FLAG_AP != 0 {
                [(.unplugRequested, CVFIO_AP_REQ_IRQ_INDEX)]
            } else {
                []
            }
        return known.filter { $0.index < interruptCount }
    }
}

/// The `argsz` of a payload: the structures come from C, so the size is the kernel's.
func byteCount<Payload>(of payload: borrowing Payload) -> UInt32 {
    UInt32(MemoryLayout<Payload>.size)
}

extension SharedDescriptor {
    /// An ioctl with a structure of CVFIO as its argument, which the kernel may write to.
    func call<Payload>(_ request: UInt, _ payload: inout Payload) throws(Errno) {
        try unsafe withUnsafeMutablePointer(to: &payload) { pointer throws(Errno) in
            _ = try unsafe descriptor.control(request, UnsafeMutableRawPointer(pointer))
        }
    }
}
