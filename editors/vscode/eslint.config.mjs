import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["src/generated.ts"] },
  ...tseslint.configs.strictTypeChecked,
  { languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } } },
);
