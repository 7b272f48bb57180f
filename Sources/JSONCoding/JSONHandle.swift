internal import CJansson

/// One counted reference to a jansson value.
///
/// Not `Sendable`: jansson values are built and read on one thread, within one call.
@safe final class JSONHandle {
    let pointer: UnsafeMutablePointer<json_t>

    /// Takes over a reference the caller has.
    init(owning pointer: UnsafeMutablePointer<json_t>) { unsafe self.pointer = pointer }

    /// Adds a reference to a value somebody else holds.
    init(sharing pointer: UnsafeMutablePointer<json_t>) {
        unsafe self.pointer = pointer
        unsafe json_incref(pointer)
    }

    deinit { unsafe json_decref(pointer) }
}
