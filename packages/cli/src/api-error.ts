import { AppError } from "@sluice/domain/app-error";

/** A refusal of the API. `code` is that of its problem document, the message what it said. */
export class ApiError extends AppError {
  /** Of HTTP. */
  readonly status: number;

  constructor(status: number, code: string, message: string) {
    super(code, message, { retry: "never" });
    this.name = "ApiError";
    this.status = status;
  }
}
