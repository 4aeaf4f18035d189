CREATE TABLE "sluice"."repository_sweeps" (
	"repository_id" uuid PRIMARY KEY NOT NULL,
	"swept_at" timestamp with time zone,
	"due_at" timestamp with time zone,
	"taken_until" timestamp with time zone,
	"found" integer DEFAULT 0 NOT NULL,
	"failure_code" text,
	"failure_message" text,
	"failing_since" timestamp with time zone,
	CONSTRAINT "repository_sweeps_failure_check" CHECK (("sluice"."repository_sweeps"."failure_code" IS NULL) = ("sluice"."repository_sweeps"."failing_since" IS NULL) AND ("sluice"."repository_sweeps"."failure_code" IS NULL) = ("sluice"."repository_sweeps"."failure_message" IS NULL))
);
--> statement-breakpoint
CREATE TABLE "sluice"."sweep_baselines" (
	"target_id" uuid NOT NULL,
	"branch" text NOT NULL,
	"head_sha" text,
	"known_sha" text,
	"seen_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "sweep_baselines_pkey" PRIMARY KEY("target_id","branch")
);
--> statement-breakpoint
CREATE TABLE "sluice"."sweep_suspicions" (
	"repository_id" uuid NOT NULL,
	"branch" text NOT NULL,
	"head_sha" text,
	"arrival_sequence" bigint NOT NULL,
	"since" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "sweep_suspicions_pkey" PRIMARY KEY("repository_id","branch")
);
--> statement-breakpoint
ALTER TABLE "sluice"."deliveries" ADD COLUMN "source" text DEFAULT 'webhook' NOT NULL;--> statement-breakpoint
ALTER TABLE "sluice"."repository_sweeps" ADD CONSTRAINT "repository_sweeps_repository_id_repositories_id_fk" FOREIGN KEY ("repository_id") REFERENCES "sluice"."repositories"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."sweep_baselines" ADD CONSTRAINT "sweep_baselines_target_id_targets_id_fk" FOREIGN KEY ("target_id") REFERENCES "sluice"."targets"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."sweep_suspicions" ADD CONSTRAINT "sweep_suspicions_repository_id_repositories_id_fk" FOREIGN KEY ("repository_id") REFERENCES "sluice"."repositories"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."deliveries" ADD CONSTRAINT "deliveries_source_check" CHECK ("sluice"."deliveries"."source" IN ('webhook', 'sweep'));