/// Where the DMA of an open device goes, by the way the device was opened.
enum AddressSpace: Sendable {
    /// By its character device: to the IOAS or hardware page table of an iommufd; nil when the
    /// device is attached to none.
    case iommufd(IOMMUFile, pageTableID: UInt32?)
    /// By its group: to the mappings of the container the group is in.
    case group(GroupMembership)
}
