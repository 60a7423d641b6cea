import hooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['node_modules', 'dist', 'src/api/schema.d.ts', 'tmp-*'] },
  tseslint.configs.strict,
  hooks.configs.flat.recommended,
  { rules: { 'no-restricted-properties': ['error', { property: 'innerHTML' }] } },
);
