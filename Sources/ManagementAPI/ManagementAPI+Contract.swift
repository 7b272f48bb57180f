internal import CContract

extension ManagementAPI {
    /// openapi/ferry.yaml as JSON: the same bytes for as long as the program lives.
    static let contract: APIResponse = {
        let bytes = unsafe UnsafeBufferPointer(
            start: ferry_contract(),
            count: ferry_contract_size()
        )
        return .tagged(unsafe Array(bytes), form: AnswerForm())
    }()
}
