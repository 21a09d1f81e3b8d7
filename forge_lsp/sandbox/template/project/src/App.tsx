import { Sparkles } from "lucide-react";

export default function App() {
  return (
    <main className="flex min-h-screen items-center justify-center bg-slate-50 p-8 text-slate-900 dark:bg-slate-950 dark:text-slate-100">
      <div className="max-w-md text-center">
        <Sparkles className="mx-auto mb-6 size-10 text-indigo-500" aria-hidden="true" />
        <h1 className="text-3xl font-semibold tracking-tight">Your app starts here</h1>
        <p className="mt-4 text-slate-600 dark:text-slate-400">
          Describe what you want to build, and watch it appear on this page.
        </p>
      </div>
    </main>
  );
}
